"""From a model that nobody measured to a template on offer, in a real Chromium, with scripts and
without: the gate, six steps, two peers and a moderator.

Slow: it starts a browser and a worker, and five pages are filled in twice.
"""

import pytest
from playwright.sync_api import Page, expect

from governance import services as governance
from governance.models import Role
from marketplace.models import PeerReview, Template
from tests.conftest import person
from tests.test_browser import CHROMIUM, WORK, browser, open_site, sign_in
from training.models import Validation

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]


def mend_at_the_gate(page: Page) -> None:
    """What alice sees first is what stands before it; she has it measured from there."""
    expect(page.get_by_role("heading", name="One thing stands before it")).to_be_visible()
    page.get_by_role("button", name="Measure it now").click()
    expect(page.get_by_role("heading", name="passes the gate")).to_be_visible(timeout=WORK)
    page.get_by_role("button", name="Continue").click()


def write_card(page: Page, *, scripts: bool) -> None:
    page.get_by_label("Category").select_option("vision")
    description = page.get_by_label("Description", exact=True)
    if scripts:
        description.press_sequentially("Reads **single** digits.")
        expect(page.locator("#live strong")).to_have_text("single")  # before it is saved
    description.fill("Reads **single** digits.")
    page.get_by_label("Intended use").fill("Reading single digits.")
    page.get_by_label("Limits").fill("It knows no letters.")
    page.get_by_label("Ethical considerations").fill("A person looks at unsure answers.")
    if scripts:
        page.get_by_label("Name").focus()  # the last field is left, and so all is saved
        told = page.locator("#live", has=page.locator("[data-state=done]", has_text="Ethical"))
        expect(told).to_contain_text("Saved as a draft.")
        page.reload()
        expect(page.get_by_label("Limits")).to_have_value("It knows no letters.")
    page.get_by_role("button", name="Save and continue").click()


def settle(page: Page, *, scripts: bool) -> None:
    """Licence and price, each once wrongly."""
    page.get_by_label("Licence").select_option("other")
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_text("are empty; write under which terms").first).to_be_visible()
    page.get_by_label("Licence").select_option("Apache-2.0")
    page.locator("ul.digits label").nth(3).click()
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Standard").check()
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_text("has a price; or choose the free plan").first).to_be_visible()
    page.get_by_label("Price, once").fill("10")
    if scripts:
        expect(page.locator("#live").get_by_text("7", exact=True)).to_be_visible()
    page.get_by_role("button", name="Save and continue").click()


def publish(page: Page, model_url: str, *, scripts: bool) -> None:
    page.goto(model_url)
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("button", name="Begin a draft").click()
    mend_at_the_gate(page)
    write_card(page, scripts=scripts)
    page.goto("/templates/mine/")  # alice leaves, and comes back
    page.get_by_role("link", name="Resume").click()
    settle(page, scripts=scripts)
    expect(page.get_by_text("Nothing stands before it")).to_be_visible()
    page.get_by_role("button", name="Submit for review").click()
    expect(page.get_by_text("only you and reviewers see it")).to_be_visible()


def review(page: Page, why: str) -> None:
    page.goto("/reviews/")
    page.get_by_role("link", name="Review ").click()
    expect(page.get_by_role("button", name="Send your review")).to_be_visible()
    for question in page.locator("#review fieldset").all():
        question.get_by_role("radio").first.check()  # yes, and approve
    page.get_by_label("Why").fill(why)
    page.get_by_role("button", name="Send your review").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()


def approve(page: Page) -> None:
    page.goto("/admin/marketplace/templateversion/")
    expect(page.get_by_text("2 of 2")).to_be_visible()
    page.get_by_role("link", name=", version 1").click()
    expect(page.get_by_text("I asked it ten digits.")).to_be_visible()
    page.get_by_role("link", name="Approve").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("is approved")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_alice_mends_what_the_gate_keeps_back_and_is_published_after_two_reviews(
    browser, live_server, start_worker, alice, judy, trained, scripts
):
    Validation.objects.all().delete()  # as if nobody had measured it
    for name in ("rita", "oscar"):
        governance.grant_role(actor=None, user=person(name), role=Role.REVIEWER)
    start_worker()
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints, java_script_enabled=scripts) as hers:
        page = hers.new_page()
        sign_in(page, "alice")
        publish(page, trained.get_absolute_url(), scripts=scripts)
        for name, why in (("rita", "I asked it ten digits."), ("oscar", "The card is honest.")):
            with open_site(
                browser, live_server.url, complaints, java_script_enabled=scripts
            ) as theirs:
                peer = theirs.new_page()
                sign_in(peer, name)
                review(peer, why)
        page.reload()
        expect(page.get_by_text("The card is honest.")).not_to_be_visible()
        with open_site(browser, live_server.url, complaints) as judys:  # the admin needs scripts
            desk = judys.new_page()
            sign_in(desk, "judy")
            approve(desk)
        page.reload()
        expect(page.get_by_text("The card is honest.")).to_be_visible()
        expect(page.get_by_text("on offer", exact=True)).to_be_visible()
    template = Template.objects.get()
    assert template.is_public
    assert template.current.price_microcredits == 10_000_000
    assert len(template.current.examples) == 1
    assert PeerReview.objects.current().count() == 2
    assert complaints == []
