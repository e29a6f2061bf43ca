"""Composing a network in a real Chromium, by keyboard alone.

Slow: it starts a browser, and a person types.
"""

import hashlib
import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import SMALL, person
from tests.test_browser import CHROMIUM, SECONDS, browser, open_site, sign_in
from tests.training.test_studio_text import SEED_EXAMPLE
from training import services as training
from training.models import Job, Model, Tier
from training.runner import chunks, datasets

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]


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


@pytest.fixture
def page(browser, live_server):
    person("alice")
    digits = training.add_bundled_dataset(slug="digits")
    datasets.prepare_dataset(str(digits.pk))
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        page.goto("/jobs/new/?dataset=digits")
        yield page
    assert complaints == []


def test_alice_types_and_sees_price_and_mistakes_without_losing_her_place(page):
    price = page.locator("#quote .price")
    before = price.inner_text()
    size = "[name='architecture.layers[1].params.size']"
    tab_to(page, size)
    page.keyboard.type("16")  # the text was selected when the focus came
    expect(price).not_to_have_text(before)
    expect(page.locator("#architecture-layers-1-said")).to_contain_text("1,040 parameters")
    assert focused(page) == "architecture.layers[1].params.size 16"  # nothing took it away
    page.keyboard.type("x")
    expect(page.locator("#architecture-layers-1-params-size-error")).to_contain_text("whole number")
    expect(page.locator(size)).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Backspace")
    expect(page.locator("#architecture-layers-1-params-size-error")).to_be_empty()
    expect(page.locator(size)).not_to_have_attribute("aria-invalid", "true")
    assert focused(page) == "architecture.layers[1].params.size 16"


def test_alice_moves_and_adds_layers_by_keyboard_and_starts(page):
    tab_to(page, "[value='up.layers.2']")
    page.keyboard.press("Enter")
    expect(page.locator(".layer-word").nth(1)).to_have_text("dropout")
    assert focused(page) == "action up.layers.1"
    tab_to(page, "[name='kind.layers']")
    page.keyboard.type("dense")
    tab_to(page, "[value='add.layers']")
    page.route("**/jobs/new/", slowly)  # so that what typing asks for comes in between
    page.keyboard.press("Enter")
    expect(page.locator(".layer-word").nth(3)).to_have_text("dense")
    page.unroute("**/jobs/new/")
    assert focused(page) == "architecture.layers[3].params.units 64"
    tab_to(page, "[value='start']")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("parameters")
    words = [layer["type"] for layer in Job.objects.get().config["architecture"]["layers"]]
    assert words == ["input", "dropout", "hidden", "dense", "output"]


def test_alice_pastes_the_text_of_a_network_and_the_layers_follow(page):
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


# Measure it, make it again, take it home


@pytest.fixture
def her_model():
    alice = person("alice")
    digits = training.add_bundled_dataset(slug="digits")
    datasets.prepare_dataset(str(digits.pk))
    digits.refresh_from_db()
    job = training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO, seed=1)
    chunks.run_job(str(job.pk))
    return Model.objects.get(job=job)


def test_alice_has_her_model_measured_made_again_and_takes_it_home(
    browser, live_server, her_model, start_worker
):
    """The parts of the page follow the worker by themselves; nobody reloads."""
    start_worker()
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        page.goto(her_model.get_absolute_url())
        expect(page.get_by_role("heading", name="Measured on 270 rows")).to_be_visible(
            timeout=120 * SECONDS
        )
        expect(page.get_by_role("heading", name="In other runtimes")).to_be_visible()
        page.get_by_role("button", name=re.compile("Reproduce for at most")).click()
        expect(page.get_by_text("last today: identical")).to_be_visible(timeout=120 * SECONDS)
        page.get_by_role("button", name="Make WebAssembly").click()
        download = page.get_by_role("link", name="Download WebAssembly")
        expect(download).to_be_visible(timeout=60 * SECONDS)
        with page.expect_download() as taken:
            download.click()
        content = Path(taken.value.path()).read_bytes()
        assert taken.value.suggested_filename.endswith(".wasm")
        assert her_model.exports.get().sha256 == hashlib.sha256(content).hexdigest()
    assert her_model.reproductions.get().is_identical is True
    assert complaints == []
