"""How bob serves himself with a deployment, in a real Chromium: he asks it, looks at its numbers,
tries another version and goes back, and has a file answered; with scripts, and without.
"""

import io

import pytest
from playwright.sync_api import Page, expect

from marketplace import services as marketplace
from marketplace.models import Batch
from marketplace.runner import batches
from marketplace.runner.minutes import RECORDER
from tests.marketplace.test_batches import numbers, quote, saved
from tests.marketplace.versions import another_version, sibling
from tests.test_browser import CHROMIUM, browser, open_site, sign_in
from tests.test_browser_market import pick

__all__ = ["browser", "quote"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_bob_serves_himself_with_a_deployment(browser, live_server, bob, template, quote, scripts):
    marketplace.buy_template(buyer=bob, template=template)
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints, java_script_enabled=scripts) as his:
        page = his.new_page()
        sign_in(page, "bob")
        page.goto(template.get_absolute_url())
        page.get_by_role("button", name="Deploy", exact=True).click()
        pick(page, 2)
        expect(page.locator("#answer")).to_contain_text("% sure")
        RECORDER.flush()
        tab(page, "Dashboard")
        expect(page.locator("dl.stats .stat").first).to_contain_text("1")
        another_version(template, model=sibling(template))
        try_another_version_and_go_back(page)
        have_a_file_answered(page, quote)
    assert complaints == []


def tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="This deployment").get_by_role("link", name=name).click()


def try_another_version_and_go_back(page: Page) -> None:
    tab(page, "Versions")
    page.get_by_label("Share of the calls").fill("30")
    page.get_by_role("button", name="Start a canary").click()
    expect(page.get_by_text("Version 2 answers 30 % of the calls.").first).to_be_visible()
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("Version 2 answers every call.")).to_be_visible()
    page.get_by_role("button", name="Go back to set 1").click()
    expect(page.get_by_text("Version 1 answers again.")).to_be_visible()


def have_a_file_answered(page: Page, quote) -> None:
    page.get_by_role("link", name="Answer a file").click()
    file = {"name": "post.npy", "mimeType": "", "buffer": saved(numbers(3))}
    page.get_by_label("File of rows").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("nothing is charged yet")).to_be_visible()
    batch = quote(Batch.objects.get())
    # The page asks again by itself: by a script, or since it says so to a browser without.
    expect(page.get_by_role("heading", name="3 rows × 0.001 credits = 0.003")).to_be_visible()
    page.get_by_role("button", name="Answer all rows").click()
    expect(page.get_by_text("0 of 3 rows answered")).to_be_visible()
    batches.answer_batch(str(batch.pk))
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download the answers").click()
    assert taken.value.suggested_filename == "post-answers.csv"
    with open(taken.value.path(), newline="") as answers:
        assert len(io.StringIO(answers.read()).readlines()) == 4
