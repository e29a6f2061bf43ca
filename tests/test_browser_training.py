"""From a table of one's own to a model that was made again, bit by bit, in a real Chromium with a
real worker. Nobody reloads a page.

Slow: it starts a browser and a worker, a person types, and a job takes long enough to be watched.
"""

import hashlib
import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from billing import services as billing
from governance import services as governance
from tests.conftest import person
from tests.test_browser import CHROMIUM, WORK, browser, open_site, sign_in
from tests.training.test_studio_text import SEED_EXAMPLE
from training import services as training
from training.models import Dataset, Job, Model, Validation
from training.runner import datasets

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]
ROWS = 4_000


def customers() -> str:
    """Who is older than 50 buys. What stands last looks as if it were asked for, the number of a
    member as if it told something, and that of a shop as if it counted.
    """
    lines = ["member,age,shop,bought,visits"]
    for row in range(ROWS):
        age = 18 + row * 7 % 60
        bought = "yes" if age > 50 else "no"
        lines.append(f"{row * 7919 % 10_007},{age},{row % 4},{bought},{row * 13 % 29}")
    return "\n".join(lines) + "\n"


# Bring a table, and correct what was guessed of it


def bring(page: Page, content: str, name: str) -> None:
    """Upload a file, and wait until a worker has read it."""
    page.goto("/datasets/")
    page.get_by_role("link", name="Bring your own").click()
    page.get_by_label("File").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("link", name="Train on this")).to_be_visible(timeout=WORK)


def drop(page: Page, content: str, name: str) -> None:
    page.locator("#upload").evaluate(
        """(form, [content, name]) => {
            const dragged = new DataTransfer();
            dragged.items.add(new File([content], name));
            form.dispatchEvent(new DragEvent("drop", {dataTransfer: dragged, bubbles: true}));
        }""",
        [content, name],
    )


def bring_by_dropping(page: Page) -> list[str]:
    """Drop a file that is too large, then the right one; what was said while it was sent."""
    page.goto("/datasets/new/")
    field = page.locator("[type=file]")
    most = field.get_attribute("data-bytes-max")
    field.evaluate("field => field.dataset.bytesMax = 1000")
    drop(page, "1,2\n" * 1_000, "large.csv")
    page.get_by_role("button", name="Upload").click()
    assert "large.csv has" in field.evaluate("field => field.validationMessage")
    field.evaluate("(field, most) => field.dataset.bytesMax = most", most)
    drop(page, customers(), "customers.csv")
    assert field.evaluate("field => [field.files[0].name, field.validationMessage]") == [
        "customers.csv",
        "",
    ]
    said: list[str] = []
    page.expose_function("noteProgress", lambda text: said.append(text))
    page.evaluate(
        """() => {
            const shown = document.querySelector("[data-upload-progress]");
            new MutationObserver(() => noteProgress(shown.querySelector("[role=status]").textContent
                + " " + shown.querySelector("progress").value)
            ).observe(shown, {subtree: true, childList: true, attributes: true});
        }"""
    )
    line = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 60_000}
    line.send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="customers", level=1)).to_be_visible()
    line.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    line.detach()
    return said


def correct_schema(page: Page) -> None:
    """By the keyboard alone: what is no feature, what is asked for, what is a name, the split."""
    page.get_by_role("link", name="Correct the schema").focus()
    page.keyboard.press("Enter")
    for field, typed, value in (
        ("Role of member", "Ign", "ignored"),
        ("Kind of shop", "Cat", "category"),
        ("Role of bought", "Tar", "target"),
        ("Role of visits", "Fea", "feature"),
    ):
        page.get_by_label(field).focus()
        page.keyboard.type(typed)
        expect(page.get_by_label(field)).to_have_value(value)
    page.get_by_label("At random, each class in its share").focus()
    page.keyboard.press("Space")
    page.get_by_label("Seed").fill("7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Train on this")).to_be_visible(timeout=WORK)


def check_schema(page: Page) -> Dataset:
    expect(page.get_by_role("row", name="member number ignored refused")).to_be_visible()
    expect(page.get_by_role("row", name="shop category of 4 feature")).to_be_visible()
    expect(page.get_by_role("row", name="bought category of 2 target")).to_be_visible()
    expect(page.get_by_text("stratified, seed 7")).to_be_visible()
    dataset = Dataset.objects.get(name="customers")
    assert (dataset.status, dataset.version) == ("done", 1)
    assert (dataset.category, dataset.classes) == ("classification", ["no", "yes"])
    assert dataset.features == ["age", "shop=0", "shop=1", "shop=2", "shop=3", "visits"]
    return dataset


def test_alice_brings_a_table_and_corrects_its_schema_without_scripts(
    browser, live_server, start_worker
):
    start_worker()
    person("alice")
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints, java_script_enabled=False) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        bring(page, customers(), "customers.csv")
        expect(page.get_by_role("heading", name="Health")).to_be_visible()
        correct_schema(page)
        check_schema(page)
    assert complaints == []


# Compose


def tab_to(page: Page, selector: str, presses: int = 80) -> None:
    """Press Tab until the focus is there, as somebody without a mouse."""
    for _ in range(presses):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the focus never came to {selector}")


def focused(page: Page) -> str:
    return page.evaluate(
        "document.activeElement.name + ' ' + (document.activeElement.value || '')"
    ).strip()


def slowly(route: Route) -> None:
    time.sleep(0.6)
    route.continue_()


def type_a_size(page: Page) -> None:
    """Price, shape and mistakes follow what is typed, and nothing takes the focus away."""
    price = page.locator("#quote .price")
    before = price.inner_text()
    size = "[name='architecture.layers[0].params.units']"
    mistake = page.locator("#architecture-layers-0-params-units-error")
    tab_to(page, size)
    page.keyboard.type("48")  # the text was selected when the focus came
    expect(price).not_to_have_text(before)
    expect(page.locator("#architecture-layers-0-said")).to_contain_text("336 parameters")
    assert focused(page) == "architecture.layers[0].params.units 48"
    page.keyboard.type("x")
    expect(mistake).to_contain_text("whole number")
    expect(page.locator(size)).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Backspace")
    expect(mistake).to_be_empty()
    expect(page.locator(size)).not_to_have_attribute("aria-invalid", "true")
    assert focused(page) == "architecture.layers[0].params.units 48"


def add_and_move_a_layer(page: Page) -> None:
    """While an answer to what was typed is on its way, which must not undo what a button does."""
    price = page.locator("#quote .price")
    before = price.inner_text()
    tab_to(page, "[name='kind.layers']")
    page.keyboard.type("dense")
    tab_to(page, "[value='add.layers']")
    page.route("**/jobs/new/", slowly)
    page.keyboard.press("Enter")
    expect(page.locator(".layer-word")).to_have_text(["dense", "dropout", "dense", "output"])
    page.unroute("**/jobs/new/")
    expect(page.locator("[name='architecture.layers[2].params.units']")).to_be_focused()
    expect(price).not_to_have_text(before)
    tab_to(page, "[value='up.layers.2']", presses=300)
    page.keyboard.press("Enter")
    expect(page.locator(".layer-word")).to_have_text(["dense", "dense", "dropout", "output"])
    expect(page.locator("[value='up.layers.1']")).to_be_focused()


def compose(page: Page) -> Job:
    """By the keyboard alone, from the small network to one more layer, and to the start."""
    page.get_by_role("link", name="Train on this").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".layer-word")).to_have_text(["dense", "dropout", "output"])
    type_a_size(page)
    add_and_move_a_layer(page)
    tab_to(page, "[name='training.epochs']")
    page.keyboard.type("240")  # seconds of work on any machine, so that there is a way to watch
    tab_to(page, "[value='start']")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("parameters")
    job = Job.objects.get()
    layers = job.config["architecture"]["layers"]
    assert [layer["type"] for layer in layers] == ["dense", "dense", "dropout", "output"]
    assert [layer["params"]["units"] for layer in layers[:2]] == [48, 64]
    return job


# Watch, measure, make again


def watch(page: Page) -> list[tuple[str, int, int]]:
    """State, epochs in the curve of losses and steps done, as the page tells them to its end."""
    page.evaluate("window.isTheSamePage = true")
    seen: list[tuple[str, int, int]] = []
    for _ in range(WORK // 100):
        told = page.evaluate(
            """() => [
                document.querySelector("#progress .badge").dataset.status,
                document.querySelector("#progress .chart polyline")
                    ?.getAttribute("points").trim().split(/\\s+/).length ?? 0,
                Number(document.querySelector("#progress progress").value),
            ]"""
        )
        if tuple(told) not in seen:
            seen.append(tuple(told))
        if page.get_by_role("link", name="Look at the model").is_visible():
            expect(page.get_by_role("link", name="Fine-tune")).to_be_visible()
            assert page.evaluate("window.isTheSamePage")
            return seen
        page.wait_for_timeout(100)
    pytest.fail(f"the job did not end: {seen[-1]}")


def check_watched(seen: list[tuple[str, int, int]], job: Job) -> None:
    """It moved on its way, never back, and what stood there at the end is what is stored."""
    job.refresh_from_db()
    states = [state for state, _, _ in seen]
    assert set(states) <= {"queued", "leased", "running", "done"}
    assert "running" in states
    on_the_way = {epochs for state, epochs, _ in seen if state == "running"}
    assert on_the_way - {0, job.epochs}, seen
    assert seen == sorted(seen, key=lambda each: each[1:])
    assert seen[-1] == ("done", job.epochs, job.steps_total)


def measure(page: Page, model: Model) -> None:
    """Read what the worker measured by itself, then ask for the accuracy alone and read that."""
    rows = model.job.dataset.test_rows
    expect(page.get_by_role("heading", name=f"Measured on {rows} rows")).to_be_visible(timeout=WORK)
    expect(page.get_by_role("heading", name="In other runtimes")).to_be_visible()
    page.locator("#id_kind").select_option("accuracy")
    page.get_by_role("button", name="Measure", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("^Accuracy, measured"))).to_be_visible(
        timeout=WORK
    )
    first, second = Validation.objects.order_by("created_at")
    assert (first.kind, second.kind, second.status) == ("comprehensive", "accuracy", "done")
    found = second.metrics["accuracy"]["value"]
    assert found == first.metrics["accuracy"]["value"] > 0.95
    shown = page.locator("#validation dl.stats").first.locator("dt:text-is('Accuracy') + dd")
    assert re.fullmatch(rf"{100 * found:.4g}\s*%", shown.inner_text())


def make_again(page: Page, model: Model) -> None:
    page.get_by_role("button", name=re.compile("Reproduce for at most")).click()
    expect(page.get_by_text("last today: identical")).to_be_visible(timeout=WORK)
    again = page.locator("#reproductions tbody tr").first
    expect(again.locator("[data-label=Answer]")).to_have_text("identical")
    expect(again.locator("[data-label=Weights]")).to_have_text(model.weights_sha256[:12])
    page.get_by_text("What was compared last").click()
    compared = page.get_by_role("row", name=re.compile("^weights"))
    expect(compared.locator("td")).to_have_text([model.weights_sha256] * 2)
    found = model.reproductions.get()
    assert found.is_identical is True
    assert found.job.pk != model.job.pk
    assert found.weights_sha256 == model.weights_sha256


def take_home(page: Page, model: Model) -> None:
    page.get_by_role("button", name="Make WebAssembly").click()
    download = page.get_by_role("link", name="Download WebAssembly")
    expect(download).to_be_visible(timeout=WORK)
    with page.expect_download() as taken:
        download.click()
    content = Path(taken.value.path()).read_bytes()
    assert taken.value.suggested_filename.endswith(".wasm")
    assert model.exports.get().sha256 == hashlib.sha256(content).hexdigest()


def test_alice_goes_from_her_own_table_to_a_model_that_comes_out_the_same_again(
    browser, live_server, start_worker
):
    start_worker()
    alice = person("alice")
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        said = bring_by_dropping(page)
        assert any(re.search(r"MB of .* MB sent", text) for text in said), said
        assert any("All of it is sent" in text for text in said), said
        expect(page.get_by_role("link", name="Train on this")).to_be_visible(timeout=WORK)
        assert Dataset.objects.get(name="customers").category == "regression"  # as was guessed
        correct_schema(page)
        dataset = check_schema(page)
        job = compose(page)
        assert job.dataset == dataset
        check_watched(watch(page), job)
        page.get_by_role("link", name="Look at the model").click()
        model = Model.objects.get(job=job)
        measure(page, model)
        make_again(page, model)
        take_home(page, model)
    assert complaints == []
    paid = sum(job.cost_microcredits for job in Job.objects.of(alice))
    assert billing.available_microcredits(alice) == 100_000_000 - paid
    assert billing.ledger_faults() == []
    assert governance.verify_audit() == []


def test_alice_pastes_the_text_of_a_network_and_the_layers_follow(browser, live_server):
    person("alice")
    digits = training.add_bundled_dataset(slug="digits")
    datasets.prepare_dataset(str(digits.pk))
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        page.goto("/jobs/new/?dataset=digits")
        paste(page)
    assert complaints == []


def paste(page: Page) -> None:
    page.locator("#json > summary").focus()
    page.keyboard.press("Enter")
    text = page.locator("#config")
    config = json.loads(text.input_value())
    config["architecture"]["layers"][1]["params"]["size"] = 77
    text.fill(json.dumps(config))
    size = page.locator("[name='architecture.layers[1].params.size']")
    expect(size).to_have_value("77")
    expect(text).to_be_focused()
    assert text.input_value() == json.dumps(config)
    size.fill("78")  # and now the text follows the layers
    expect(text).to_have_value(re.compile('"size": 78'))
    text.fill(SEED_EXAMPLE)
    expect(page.locator(".layer-word")).to_have_text(["embedding", "attention", "feedforward"])
    text.fill("{")
    expect(page.locator("#config-error")).to_contain_text("line 1, column 2")
    page.locator("[value='start']").click()
    expect(page.locator("#error-summary")).to_be_focused()
    expect(text).to_have_value("{")
