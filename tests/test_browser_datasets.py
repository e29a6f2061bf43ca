"""A person brings their own data in a real browser, with scripts and without."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import person
from tests.test_browser import CHROMIUM, SECONDS, browser, open_site, sign_in
from training.models import Dataset

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]
# Who is older than 50 buys; the shop's number tells nothing.
CUSTOMERS = "age,shop,bought\n" + "".join(
    f"{18 + number * 7 % 60},{number % 4},{'yes' if 18 + number * 7 % 60 > 50 else 'no'}\n"
    for number in range(300)
)


def bring(page: Page, content: str, name: str) -> None:
    """Upload a file, and wait until a worker has read it."""
    page.goto("/datasets/")
    page.get_by_role("link", name="Bring your own").click()
    page.get_by_label("File").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("link", name="Train on this")).to_be_visible(timeout=60 * SECONDS)


def correct_schema(page: Page) -> None:
    """By the keyboard alone: say that the shop's number is a name."""
    page.get_by_role("link", name="Correct the schema").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Kind of shop").focus()
    page.keyboard.type("Cat")
    expect(page.get_by_label("Kind of shop")).to_have_value("category")
    page.get_by_label("Seed").fill("7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Train on this")).to_be_visible(timeout=60 * SECONDS)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_alice_brings_a_table_and_corrects_its_schema(
    browser,
    live_server,
    start_worker,
    scripts,
):
    start_worker()
    person("alice")
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints, java_script_enabled=scripts) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        bring(page, CUSTOMERS, "customers.csv")
        expect(page.get_by_role("heading", name="Health")).to_be_visible()
        correct_schema(page)
        expect(page.get_by_role("row", name=re.compile("shop category of 4"))).to_be_visible()
        expect(page.get_by_text("seed 7")).to_be_visible()
    dataset = Dataset.objects.get(name="customers")
    assert (dataset.status, dataset.version, dataset.columns) == ("done", 1, 5)
    assert complaints == []


def test_alice_drops_files_and_sees_how_much_of_them_is_sent(browser, live_server):
    person("alice")
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        page.goto("/datasets/new/")
        seen = []
        page.expose_function("noteProgress", lambda text: seen.append(text))
        page.evaluate(
            """() => new MutationObserver(() => noteProgress(
                document.querySelector("[data-upload-progress] [role=status]").textContent
            )).observe(document.querySelector("[data-upload-progress]"),
                {subtree: true, childList: true, attributes: true})"""
        )
        page.get_by_label("File").set_input_files(
            {"name": "a.csv", "mimeType": "text/csv", "buffer": b"1,2,3\n" * 500_000}
        )
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        assert any(re.search(r"of 3 MB sent|All of it is sent", text) for text in seen)
        page.goto("/datasets/new/")
        page.locator("#upload").evaluate(
            """form => {
                const dragged = new DataTransfer();
                dragged.items.add(new File(["1,2"], "dropped.csv"));
                form.dispatchEvent(new DragEvent("drop", {dataTransfer: dragged, bubbles: true}));
            }"""
        )
        assert page.locator("[type=file]").evaluate("field => field.files[0].name") == "dropped.csv"
        page.locator("[type=file]").evaluate("field => field.dataset.bytesMax = 10")
        page.get_by_label("File").set_input_files(
            {"name": "b.csv", "mimeType": "text/csv", "buffer": b"1,2,3\n" * 5}
        )
        page.get_by_role("button", name="Upload").click()
        assert page.locator("[type=file]").evaluate("field => field.validationMessage")
    assert Dataset.objects.count() == 1
    assert complaints == []
