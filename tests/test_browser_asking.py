"""How alice asks her model by keyboard, in a real Chromium: she types what is wrong, reads why,
mends it and gets her answer.
"""

import pytest
from playwright.sync_api import Page, expect

from tests.test_browser import CHROMIUM, browser, open_site, sign_in
from tests.test_browser_training import tab_to
from tests.training.test_answers import model_of

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]


@pytest.mark.django_db(transaction=True)
def test_alice_mends_what_she_typed_and_is_answered_without_a_mouse(browser, live_server, alice):
    model = model_of(alice, "iris", epochs=1)
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        page.goto(f"{model.get_absolute_url()}try/")
        ask(page)
    assert complaints == []


def ask(page: Page) -> None:
    field, error = page.locator("#ask-c1"), page.locator("#ask-c1-error")
    told = page.locator("#told-answer")
    tab_to(page, "#ask-c1")
    page.keyboard.type("wide")  # what stood there was selected when the focus came
    page.keyboard.press("Enter")
    expect(error).to_have_text("Must be a number, not 'wide'")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("sepal width (cm)")
    expect(field).to_be_focused()
    expect(field).to_have_value("wide")
    expect(told).to_be_empty()
    page.keyboard.press("Control+A")
    page.keyboard.type("3.5")
    page.keyboard.press("Enter")
    expect(error).to_be_empty()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(told).to_contain_text("% sure")
    expect(page.locator("#answer .answer")).to_contain_text("% sure")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(field).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 600})
    tab_to(page, "form:has(#ask-c1) .button")
    page.keyboard.press("Enter")
    expect(page.locator("form:has(#ask-c1) .button")).to_be_focused()
    expect(page.locator("#answer")).to_be_in_viewport(ratio=0.99)  # however long the form is
