"""How bob tries what he finds, buys it, deploys it and predicts, in a real Chromium: with scripts
on his own device, too, and without them by forms alone.
"""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from billing.models import UsageEvent
from marketplace import services as marketplace
from marketplace.models import Plan
from tests.marketplace.test_pictures import deployment
from tests.test_browser import CHROMIUM, browser, open_site, sign_in
from training import services as training
from training.models import Export
from training.runner import exports

__all__ = ["browser", "deployment"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]


def prepare(template, alice) -> None:
    training.order_export(actor=alice, model=template.shown.model, kind="wasm")
    exports.make_export(str(Export.objects.get().pk))


def bits_of(model, row) -> str:
    """Those of the server's probabilities, as a browser writes them."""
    answer = training.predict(model=model, rows=row)[0]
    return np.array(list(answer.probabilities.values()), np.float32).tobytes().hex()


def pick(page: Page, at: int) -> None:
    page.locator("ul.digits label").nth(at).click()
    page.get_by_role("button", name="Predict the row").click()


def test_a_visitors_browser_answers_with_the_bits_of_the_site_and_sends_nothing(
    browser, live_server, alice, judy, model, digits
):
    template = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Free reader",
        description="Reads digits.",
        category="vision",
        plan=Plan.FREE,
    )
    template = marketplace.approve_template(actor=judy, template=template)
    prepare(template, alice)
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sent: list[str] = []
        page.on("request", lambda asked: sent.append(f"{asked.method} {asked.url}"))
        page.goto(template.get_absolute_url())
        page.get_by_role("link", name="Try it").last.click()
        expect(page.get_by_label("Answer on this device")).to_be_checked()
        rows = training.preview_rows(dataset=digits, count=3, part=training.Part.TEST)
        for at, row in enumerate(rows):
            pick(page, at)
            expected = bits_of(model, row.values)
            expect(page.locator("#answer")).to_have_attribute("data-bits", expected)
            expect(page.locator("#told-answer")).to_contain_text("% sure")
        page.get_by_text("Write it as numbers").click()
        page.get_by_label("Row", exact=True).fill("1 2 3")
        page.get_by_role("button", name="Predict from numbers").click()
        expect(page.get_by_role("alert")).to_contain_text("Must have 64 values, not 3")
        draw_by_keyboard(page)
        drawn = page.locator("[name=pixels]").input_value()
        expected = bits_of(model, [float(value) for value in drawn.split(",")])
        expect(page.locator("#answer")).to_have_attribute("data-bits", expected)
    assert [one for one in sent if not one.startswith("GET ")] == []
    assert not UsageEvent.objects.exists()
    assert complaints == []


def test_a_picture_of_alices_stays_on_her_device_unless_she_sends_it(
    browser, live_server, alice, deployment
):
    """About five seconds: a small network learns what red and blue are first."""
    template = deployment.template
    prepare(template, alice)
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        page.goto(f"{template.get_absolute_url()}try/")
        sent: list[str] = []
        page.on("request", lambda asked: sent.append(asked.method))
        upload = page.locator("form", has=page.get_by_label("Picture", exact=True))
        for kind in ("PNG", "JPEG"):
            file = io.BytesIO()
            noise = np.random.default_rng(3).integers(0, 256, (31, 19, 3)).astype(np.uint8)
            Image.fromarray(noise).save(file, kind)
            told = {"name": f"a.{kind}", "mimeType": "image/x", "buffer": file.getvalue()}
            page.get_by_label("Picture", exact=True).set_input_files(told)
            upload.get_by_role("button", name="Predict").click()
            if kind == "PNG":
                bits = bits_of(template.shown.model, base64.b64encode(file.getvalue()).decode())
                expect(page.locator("#answer")).to_have_attribute("data-bits", bits)
        expect(page.get_by_role("alert")).to_contain_text("“a.JPEG” is not read here")
        assert "POST" not in sent
        page.get_by_label("Answer on this device").uncheck()
        upload.get_by_role("button", name="Predict").click()
        expect(page.locator("#answer")).to_contain_text("ms on our side")
        assert sent.count("POST") == 1
    assert complaints == []


def draw_by_keyboard(page: Page) -> None:
    page.get_by_role("application").focus()
    for key in ("ArrowDown", "Space", "ArrowDown", "Space"):
        page.keyboard.press(key)  # what is drawn is asked by itself


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_bob_tries_buys_deploys_and_predicts(
    browser, live_server, alice, bob, template, digits, scripts
):
    prepare(template, alice)
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints, java_script_enabled=scripts) as his:
        page = his.new_page()
        sign_in(page, "bob")
        page.goto(template.get_absolute_url())
        page.get_by_role("link", name="Try it").last.click()
        expect(page.get_by_text("10 of 10 free answers")).to_be_visible()
        expect(page.get_by_label("Answer on this device")).to_have_count(0)
        pick(page, 2)
        expect(page.locator("#answer")).to_contain_text(re.compile(r"\d % sure"))
        page.goto(template.get_absolute_url())
        page.get_by_role("button", name="Buy").click()
        expect(page.get_by_text("is yours for 15 credits")).to_be_visible()
        if scripts:
            page.get_by_role("link", name="Try it").last.click()
            pick(page, 2)
            row = training.preview_rows(dataset=digits, count=3, part=training.Part.TEST)[2]
            bits = bits_of(template.shown.model, row.values)
            expect(page.locator("#answer")).to_have_attribute("data-bits", bits)
            page.goto(template.get_absolute_url())
        with page.expect_download() as taken:
            page.get_by_role("button", name="Download safetensors").click()
        assert taken.value.suggested_filename == "digit-reader-1.safetensors"
        page.get_by_role("button", name="Deploy", exact=True).click()
        pick(page, 2)
        expect(page.locator("#answer")).to_contain_text(re.compile(r"\d % sure"))
    assert UsageEvent.objects.filter(user=bob, price_microcredits=0).count() == 1
    assert UsageEvent.objects.filter(user=bob, price_microcredits__gt=0).count() == 1
    assert complaints == []
