"""Whatever the schema allows is answered as the schema tells, and never by a fault of ours.

schemathesis makes the requests out of the schema; the middleware of `tests.conformance` holds each
answer to it, and an exception in a view fails the test by itself. Ids of what alice has stand in
most of the requests, or none would get past 404; and some have to succeed, or nothing was tried.
"""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from django.http import HttpResponse
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import Template
from tests.conformance import schema
from training.models import Job, Model

REAL = 0.7  # of the ids
ORDER = {"GET": 0, "POST": 1, "PUT": 2, "PATCH": 3, "DELETE": 4}  # what is asked for is there still


@pytest.fixture
def ids(template: Template) -> dict[str, str]:
    """Of what alice has, by the names of the parameters."""
    model, job = Model.objects.get(), Job.objects.get()
    deployed = marketplace.deploy_template(
        owner=model.owner, template=template, custom_config={"name": "mine"}
    )
    saved = marketplace.save_search(owner=model.owner, query="reader")
    _, secret = governance.create_api_key(owner=model.owner, name="t", scopes=list(Scope))
    return {
        "secret": secret,
        "model_id": str(model.pk),
        "job_id": str(job.pk),
        "template_id": str(template.pk),
        "deployment_id": str(deployed.pk),
        "saved_id": str(saved.pk),
        "slug": "digits",
        "name": str(model.pk),
        "version": "1",
        "kind": "safetensors",
    }


def operations() -> Iterator[Any]:
    loaded = schemathesis.openapi.from_dict(schema())
    found = [one.ok() for one in loaded.get_all_operations()]
    yield from sorted(found, key=lambda one: ORDER[one.method.upper()])


def send(client: Client, case: Any, ids: dict[str, str], chance: random.Random) -> HttpResponse:
    """A request of these parts, as a client would send it, some of them with real ids."""
    for named in (case.path_parameters, case.body):
        for name in named if isinstance(named, dict) else ():
            if name in ids and chance.random() < REAL:
                named[name] = ids[name]
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    sent = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in prepared.headers.items()
        if name not in ("Content-Length", "Cookie")
    }
    return client.generic(
        prepared.method,
        prepared.path_url,
        prepared.body or b"",
        content_type=sent.pop("Content-Type", "application/json"),
        headers=sent | {"Authorization": f"Bearer {ids['secret']}"},
    )


def try_all(
    client: Client, ids: dict[str, str], *, examples: int, mode: GenerationMode
) -> set[int]:
    met = set[int]()
    chance = random.Random(1)
    for operation in operations():

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            status = send(client, case, ids, chance).status_code
            met.add(status)
            assert status < 500

        one()
    return met


def test_whatever_the_schema_allows_is_answered_as_it_tells(client, ids):
    met = try_all(client, ids, examples=3, mode=GenerationMode.POSITIVE)
    assert {200, 201, 202, 404} <= met


@pytest.mark.campaign
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_sent_is_answered_as_the_schema_tells(client, ids, mode):
    try_all(client, ids, examples=50, mode=mode)
