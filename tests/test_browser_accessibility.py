"""What a machine can tell of whether everybody can use the pages: axe-core, in a real Chromium.

It finds about half of what is wrong; the rest is told by the tests that walk pages by keyboard.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from governance import services as governance
from governance.models import NoticeType
from marketplace import services as marketplace
from tests.test_browser import CHROMIUM, browser, open_site
from tests.training.conftest import asked, in_this_process
from tests.training.test_asking import TABLE_ROWS
from tests.training.uploads import bring
from training import services as training
from training.models import NAME_LENGTH_MAX, Dataset, Job

__all__ = ["asked", "browser", "in_this_process"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it"),
]
GRAVE = ("serious", "critical")
PAGES = (
    "/",
    "/templates/",
    "/datasets/",
    "/datasets/new/",
    "/datasets/digits/",
    "/datasets/{brought}/",
    "/datasets/{brought}/schema/",
    "/jobs/",
    "/jobs/new/",
    "/jobs/{first}/",
    "/jobs/{first}/search/",
    "/jobs/compare/?job={first}&job={waiting}",
    "/searches/",
    "/searches/{search}/",
    "/patterns/",
    "/models/",
    "/models/{model}/",
    "/models/{model}/try/",
    "/models/{model}/card/",
    "/templates/new/",
    "/templates/digit-reader/draft/model/",
    "/templates/digit-reader/draft/validate/",
    "/templates/digit-reader/draft/card/",
    "/templates/digit-reader/draft/files/",
    "/templates/digit-reader/draft/price/",
    "/templates/digit-reader/draft/submit/",
    "/templates/digit-reader/versions/",
    "/deployments/{deployment}/",
    "/wallet/",
    "/clusters/",
    "/docs/",
    "/docs/train/",
    "/docs/economics/",
    "/saved-searches/",
    "/saved-searches/new/?q=letters",
    "/notices/",
    "/notices/settings/",
    "/webhooks/",
    "/webhooks/{webhook}/",
    "/webhooks/{webhook}/{delivery}/",
)


# Of the page, or of a table whose rows stand in the width of a telephone.
RUNS_OVER = """() => [document.documentElement, ...document.querySelectorAll(
    innerWidth < 640 ? ".table-wrap:has(> .stacked)" : "html",
)].filter((place) => place.scrollWidth > place.clientWidth).map((place) => place.className)"""


def faults(page: Page, address: str) -> list[str]:
    """The grave ones, each with the first element that has it."""
    page.goto(address)
    over = [f"{address}: runs over: {place}" for place in page.evaluate(RUNS_OVER)]
    return over + [
        f"{address}: {fault['id']}, {fault['help']}: {fault['nodes'][0]['html'][:200]}"
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in GRAVE
    ]


@pytest.mark.django_db(transaction=True)
def test_everybody_can_use_the_pages_as_far_as_a_machine_can_tell(
    browser, live_server, client, alice, model, template, asked, in_this_process
):
    places = {
        "model": model.pk,
        "first": model.job_id,
        "waiting": training.retrain_job(owner=alice, job=model.job).pk,
        "search": training.start_search(**asked).pk,
        "brought": bring(alice, TABLE_ROWS, "csv").slug,
        "deployment": marketplace.deploy_template(owner=alice, template=template).pk,
    }
    marketplace.start_version(owner=alice, template=template, model=model, changelog="n")
    marketplace.save_search(owner=alice, query="reader")
    long = "W" * NAME_LENGTH_MAX
    webhook, _ = governance.create_webhook(
        owner=alice, url="https://hook.example/", description=long
    )
    places["webhook"] = webhook.pk
    places["delivery"] = governance.test_webhook(owner=alice, endpoint=webhook).pk
    governance.tell(user=alice, type=NoticeType.TRAINING_DONE, text=f"“{long}” is trained.", url="")
    Dataset.objects.filter(slug=places["brought"]).update(name=long)
    Job.objects.filter(pk=model.job_id).update(name=long)
    client.force_login(alice)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    found: list[str] = []
    for width in (1280, 390):
        size = {"width": width, "height": 900}
        with open_site(browser, live_server.url, [], viewport=size) as hers:
            hers.add_cookies([cookie | {"url": live_server.url}])
            page = hers.new_page()
            for address in PAGES:
                found += faults(page, address.format(**places))
    assert found == []


BEHIND_THE_STRIP = """() => {
    const strip = document.getElementById("strip").getBoundingClientRect();
    const field = document.activeElement, place = field.getBoundingClientRect();
    const isBehind = place.top < strip.bottom && place.bottom > strip.top;
    return field.matches("main :is(input, select)") && isBehind ? field.id : "";
}"""


@pytest.mark.django_db(transaction=True)
def test_alice_sees_each_field_that_she_tabs_to_on_her_phone(
    browser, live_server, client, alice, model
):
    client.force_login(alice)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    with open_site(browser, live_server.url, [], viewport={"width": 390, "height": 700}) as hers:
        hers.add_cookies([cookie | {"url": live_server.url}])
        page = hers.new_page()
        for address in ("/jobs/new/", f"/jobs/{model.job_id}/search/"):
            page.goto(address)
            page.get_by_label("Name").first.focus()
            behind = []
            for _ in range(30):
                behind.append(page.evaluate(BEHIND_THE_STRIP))
                page.keyboard.press("Tab")
            assert [field for field in behind if field] == [], address
