"""How often each page asks the database, once its reader has been noted down as being here."""

import pytest

from marketplace import services as marketplace
from tests.conftest import SMALL
from tests.training.test_asking import TABLE_ROWS
from tests.training.uploads import bring
from training import services as training
from training.models import Tier
from training.runner import chunks, reproductions

QUERIES_MAX = 12
PAGES = (
    "/datasets/",
    "/datasets/new/",
    "/datasets/digits/",
    "/datasets/{brought}/",
    "/datasets/{brought}/schema/",
    "/jobs/",
    "/jobs/new/",
    "/jobs/{first}/",
    "/jobs/{again}/",
    "/jobs/{waiting}/",
    "/jobs/{first}/search/",
    "/jobs/compare/?job={first}&job={again}",
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
)


@pytest.fixture
def places(alice, model, template, digits, asked, in_this_process) -> dict[str, str]:
    """Alice's model, made again once and deployed, a job that waits, a search and her own table."""
    again = training.reproduce_model(actor=alice, model=model)
    chunks.run_turn()
    reproductions.compare_reproduction(str(again.pk))
    marketplace.start_version(owner=alice, template=template, model=model, changelog="n")
    waiting = training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO)
    return {
        "model": str(model.pk),
        "first": str(model.job_id),
        "again": str(again.job_id),
        "waiting": str(waiting.pk),
        "search": str(training.start_search(**asked).pk),
        "brought": bring(alice, TABLE_ROWS, "csv").slug,
        "deployment": str(marketplace.deploy_template(owner=alice, template=template).pk),
    }


def test_no_page_asks_more_than_its_budget(client, alice, places, django_assert_max_num_queries):
    client.force_login(alice)
    for page in PAGES:
        address = page.format(**places)
        assert client.get(address).status_code == 200, address
        with django_assert_max_num_queries(QUERIES_MAX, info=address):
            client.get(address)
