"""How bob finds what he needs, in a real Chromium, with scripts and without: he searches, narrows,
gets out of a dead end, compares, keeps the search and opens a template.
"""

import pytest
from playwright.sync_api import Page, expect

from marketplace import services as marketplace
from marketplace.models import SavedSearch
from tests.test_browser import CHROMIUM, browser, open_site

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]


@pytest.fixture
def offered(alice, judy, template) -> None:
    """Three readers, two of them for pictures; the digit reader stands in front."""
    for name, category in (("Letter reader", "vision"), ("Price reader", "timeseries")):
        made = marketplace.publish_template(
            owner=alice,
            model=template.shown.model,
            name=name,
            description="Reads.",
            category=category,
            plan="free",
        )
        marketplace.approve_template(actor=judy, template=made)
    marketplace.feature_template(actor=judy, template=template, reason="Right 97 times of 100.")


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.get_by_role("searchbox").press("Enter")


def expect_count(page: Page, text: str) -> None:
    found = page.get_by_role("status").filter(has_text="template")
    expect(found).to_have_text(text)


def narrow(page: Page) -> None:
    filters = page.get_by_role("navigation", name="Filters")
    filters.get_by_role("link", name="Vision 2").click()
    expect_count(page, "2 templates")
    filters.get_by_role("link", name="Free 1").click()
    expect_count(page, "1 template")


def leave_a_dead_end(page: Page) -> None:
    search(page, "reader category:vision price:0 params>1m")
    expect(page.get_by_role("heading", name="No template matches all of that")).to_be_visible()
    page.get_by_role("link", name="without params>1000000: 1").click()
    expect_count(page, "1 template")
    page.get_by_role("list", name="What is asked").get_by_text("price:0").click()
    expect_count(page, "2 templates")


def compare_two(page: Page) -> None:
    button = page.get_by_role("button", name="Compare what is chosen")
    expect(button).to_be_hidden()
    names = ("Digit reader", "Letter reader")
    for name in names:
        page.get_by_label(f"Compare {name}").check()
    button.click()
    beside = page.get_by_role("group", name="Templates side by side")
    for name in names:
        expect(beside.get_by_role("columnheader").filter(has_text=name)).to_be_visible()
    page.go_back()


def keep(page: Page) -> None:
    page.get_by_text("Save this search").click()
    page.get_by_label("Name", exact=True).fill("Readers")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as “Readers”; you are told what is new.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_bob_finds_what_he_needs_and_keeps_the_search(
    browser, live_server, client, bob, offered, scripts
):
    client.force_login(bob)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints, java_script_enabled=scripts) as his:
        his.add_cookies([cookie | {"url": live_server.url}])
        page = his.new_page()
        page.goto("/")
        expect(page.get_by_text("Right 97 times of 100.")).to_be_visible()
        search(page, "reader")
        expect_count(page, "3 templates")
        narrow(page)
        leave_a_dead_end(page)
        compare_two(page)
        keep(page)
        page.goto("/saved-searches/")
        page.get_by_role("link", name="Readers", exact=True).click()
        expect_count(page, "2 templates")
        page.get_by_role("link", name="Digit reader").click()
        expect(page.get_by_role("heading", name="Digit reader", level=1)).to_be_visible()
    assert SavedSearch.objects.get(owner=bob).query == "reader category:vision"
    assert complaints == []
