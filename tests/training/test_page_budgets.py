"""How often each page asks the database, once its reader has been noted down as being here."""

import pytest

from tests.conftest import SMALL
from training import services as training
from training.models import Tier
from training.runner import chunks, reproductions

QUERIES_MAX = 12
PAGES = (
    "/datasets/",
    "/datasets/new/",
    "/datasets/digits/",
    "/jobs/",
    "/jobs/new/",
    "/jobs/{first}/",
    "/jobs/{again}/",
    "/jobs/{waiting}/",
    "/jobs/{first}/search/",
    "/jobs/compare/?job={first}&job={again}",
    "/searches/",
    "/patterns/",
    "/models/",
    "/models/{model}/",
    "/models/{model}/card/",
    "/models/{model}/publish/",
)


@pytest.fixture
def places(alice, model, digits) -> dict[str, str]:
    """Alice's model, made again once, and a job that waits."""
    again = training.reproduce_model(actor=alice, model=model)
    chunks.run_turn()
    reproductions.compare_reproduction(str(again.pk))
    waiting = training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO)
    jobs = {"first": model.job_id, "again": again.job_id, "waiting": waiting.pk}
    return {"model": str(model.pk)} | {name: str(job_id) for name, job_id in jobs.items()}


def test_no_page_asks_more_than_its_budget(client, alice, places, django_assert_max_num_queries):
    client.force_login(alice)
    for page in PAGES:
        address = page.format(**places)
        assert client.get(address).status_code == 200, address
        with django_assert_max_num_queries(QUERIES_MAX, info=address):
            client.get(address)
