"""From sign-up to prediction in a real Chromium, with a real worker, with scripts and without.

Slow: it starts a browser and a worker, and people look at their pages one after the other.
"""

import re
import shutil

import pytest
from django.core import mail
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from billing import services as billing
from governance import services as governance
from governance.models import Role
from marketplace.models import Purchase, Template
from tests.conftest import person
from training import services as training

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]
PASSWORD = "a good password"
SECONDS = 1_000
WORK = 180 * SECONDS  # only what never happens takes so long, on however busy a machine
# The headless browser says this of itself, not of our pages.
NOT_OURS = ("Failed to load resource: net::ERR_CONNECTION_REFUSED",)


@pytest.fixture
def browser(monkeypatch):
    # Playwright keeps an event loop in this thread; our own database calls stand between its calls,
    # on a connection that belongs to the loop and has to end with it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        connections.close_all()


def open_site(browser: Browser, address: str, complaints: list[str], **options) -> BrowserContext:
    """A browser of one person, whose console has nothing to complain about."""
    context = browser.new_context(base_url=address, **options)
    context.set_default_timeout(10 * SECONDS)

    def listen(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "response",
            lambda response: (
                complaints.append(f"{response.status} {response.url}")
                if response.status >= 400
                else None
            ),
        )
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type in ("error", "warning") and message.text not in NOT_OURS
                else None
            ),
        )

    context.on("page", listen)
    return context


def sign_in(page: Page, name: str) -> None:
    page.goto("/account/login/")
    page.get_by_label(re.compile("username|login", re.IGNORECASE)).fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name=re.compile("Wallet: "))).to_be_visible()


def sign_up(page: Page, name: str) -> None:
    page.goto("/account/signup/")
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Make an account").click()
    expect(page.get_by_label("Code")).to_be_visible()
    page.get_by_label("Code").fill(re.search(r"^([A-Z0-9-]{6,})$", mail.outbox[-1].body, re.M)[1])
    page.get_by_role("main").get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("link", name="Wallet: 100.00 credits")).to_be_visible()


def train(page: Page) -> None:
    page.goto("/datasets/")
    page.get_by_role("link", name="Handwritten digits").click()
    page.get_by_role("link", name="Train on this").click()
    page.get_by_label("Name").fill("My reader")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("link", name="Look at the model").click(timeout=WORK)


def publish(page: Page) -> None:
    expect(page.get_by_role("heading", name="Measured on 270 rows")).to_be_visible(timeout=WORK)
    page.get_by_role("link", name="Publish").click()
    page.get_by_role("button", name="Begin a draft").click()
    page.get_by_label("Category").select_option("vision")
    page.get_by_role("textbox", name="Description").fill("Reads digits.")
    page.get_by_label("Intended use").fill("Reading single digits.")
    page.get_by_label("Limits").fill("It knows no letters.")
    page.get_by_label("Ethical considerations").fill("A person looks at unsure answers.")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("combobox", name="Licence").select_option("Apache-2.0")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("Standard").check()
    page.get_by_label("Price, once").fill("15")
    page.get_by_label("Price per prediction").fill("0.001")
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_text("Nothing stands before it")).to_be_visible()
    page.get_by_role("button", name="Submit for review").click()
    expect(page.get_by_text("only you and reviewers see it")).to_be_visible()


def approve(page: Page) -> None:
    page.goto("/admin/marketplace/template/")
    page.get_by_role("link", name="My reader").click()
    page.get_by_role("link", name="Approve").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("is approved")).to_be_visible()


def buy_and_predict(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox").fill("reader")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name="My reader").click()
    page.get_by_role("button", name="Buy").click()
    expect(page.get_by_text("10.5 of them went to carol")).to_be_visible()
    page.get_by_role("button", name="Deploy").click()
    page.locator("ul.digits label").nth(2).click()
    page.get_by_role("button", name="Predict the row").click()
    expect(page.locator("#answer").get_by_text(re.compile(r"\d % sure"))).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_carol_joins_trains_and_sells_and_bob_buys_and_predicts(
    browser, live_server, start_worker, mailoutbox, scripts
):
    start_worker()
    person("bob")
    governance.grant_role(actor=None, user=person("judy"), role=Role.MODERATOR)
    training.add_bundled_dataset(slug="digits")
    complaints: list[str] = []
    with open_site(browser, live_server.url, complaints, java_script_enabled=scripts) as hers:
        page = hers.new_page()
        sign_up(page, "carol")
        wait_for_digits(page)
        train(page)
        publish(page)
    with open_site(browser, live_server.url, complaints) as judys:  # the admin needs scripts
        page = judys.new_page()
        sign_in(page, "judy")
        approve(page)
    with open_site(browser, live_server.url, complaints, java_script_enabled=scripts) as his:
        page = his.new_page()
        sign_in(page, "bob")
        buy_and_predict(page)
    assert Template.objects.get().is_public
    assert Purchase.objects.get().author_microcredits == 10_500_000
    billing.settle_usage()
    assert billing.ledger_faults() == []
    assert governance.verify_audit() == []
    assert complaints == []


def wait_for_digits(page: Page) -> None:
    """The worker prepares the data while carol signs up; look again until it has."""
    for _ in range(WORK // 500):
        page.goto("/datasets/digits/")
        if page.get_by_role("link", name="Train on this").is_visible():
            return
        page.wait_for_timeout(500)
    pytest.fail("the worker did not prepare the data")
