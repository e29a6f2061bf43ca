"""What bob says of what he bought, in a real Chromium, with scripts and without: he rates it, asks
about it, keeps it, and compares it with another.
"""

import pytest
from playwright.sync_api import Page, expect

from marketplace import services as marketplace
from marketplace.models import Plan
from tests.conftest import person
from tests.test_browser import browser, open_site, pytestmark, sign_in
from training.models import Category

__all__ = ["browser", "pytestmark"]


def rate(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="Write a review").click()
    page.get_by_label("4 stars: good").check()
    page.get_by_label("In your words").fill("Reads my digits.")
    page.get_by_role("button", name="Publish it").click()
    expect(page.get_by_text("Your review stands below")).to_be_visible()
    expect(page.get_by_text("Reads my digits.")).to_be_visible()


def ask(page: Page) -> None:
    page.get_by_role("link", name="Ask a question").click()
    page.get_by_label("Title").fill("Does it read sevens?")
    page.get_by_label("Text").fill("With a **bar**.")
    page.get_by_role("button", name="Post it").click()
    expect(page.get_by_role("heading", name="Does it read sevens?")).to_be_visible()
    expect(page.locator("strong", has_text="bar")).to_be_visible()


def keep(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="Keep").click()
    page.get_by_label("Name of the collection").fill("Readers")
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("heading", name="Readers")).to_be_visible()
    expect(page.get_by_role("link", name="Digit reader")).to_be_visible()


def compare(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Add a template").fill("Second reader")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("columnheader", name="2 Second reader")).to_be_visible()
    expect(page.get_by_text("best", exact=True).first).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_bob_says_what_he_makes_of_it(
    live_server,
    browser,
    alice,
    judy,
    bob,
    model,
    template,
    scripts,
):
    second = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Second reader",
        description="The same, again.",
        category=Category.VISION,
        plan=Plan.FREE,
    )
    marketplace.approve_template(actor=judy, template=second)
    marketplace.buy_template(buyer=bob, template=template)
    complaints: list[str] = []
    context = open_site(browser, live_server.url, complaints, java_script_enabled=scripts)
    page = context.new_page()
    sign_in(page, "bob")
    address = template.get_absolute_url()
    rate(page, address)
    ask(page)
    keep(page, address)
    compare(page, address)
    vote(browser, live_server.url, address, scripts, complaints)
    assert complaints == []


def vote(browser, url: str, address: str, scripts: bool, complaints: list[str]) -> None:
    """dave, who only looks, finds the review helpful, and takes that back."""
    person("dave")
    context = open_site(browser, url, complaints, java_script_enabled=scripts)
    page = context.new_page()
    sign_in(page, "dave")
    page.goto(address)
    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(page.get_by_text("1 of 1 found this helpful")).to_be_visible()
    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(page.get_by_text("found this helpful")).to_be_hidden()
