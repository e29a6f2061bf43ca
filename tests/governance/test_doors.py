"""What every JSON door shares: its description, pages of lists, tags, and acting once."""

import json
import threading
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils.dateparse import parse_datetime

from governance import services as governance
from governance.api.answers import Millionths
from governance.api.schema import PROBLEMS
from governance.models import Answer
from tests.conformance import resolved, schema

NEXT = '>; rel="next"'


def operations():
    for path, described in schema()["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in described:
                yield f"{method} {path}", described[method]


@pytest.fixture
def three_clusters(client, bob):
    client.force_login(bob)
    for name in ("one", "two", "three"):
        send(client, "POST", "/api/v1/clusters", {"name": name})


def send(client, method, address, body, **headers):
    return client.generic(
        method, address, json.dumps(body), content_type="application/json", headers=headers
    )


# The description


def test_the_description_is_made_without_a_warning(tmp_path):
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml")
    )


def test_every_operation_tells_its_problems():
    for name, operation in operations():
        met = {int(status) for status in operation["responses"] if int(status) >= 400}
        assert {400, 401, 403, 429, 500, 503} <= met <= set(PROBLEMS), name
        for status in met:
            _, told = resolved(
                ("paths", name.split()[1], name.split()[0], "responses", str(status))
            )
            assert list(told["content"]) == ["application/problem+json"], name


def test_every_list_has_a_limit_beside_its_cursor():
    for name, operation in operations():
        taken = {parameter["name"] for parameter in operation.get("parameters", ())}
        if "cursor" in taken and operation["operationId"] != "wallet":
            assert "limit" in taken, name


def test_millionths_are_told_exactly():
    told = {0: "0", 1: "0.000001", 12_500_000: "12.5", -3_000_000: "-3", 10**14: "100000000"}
    assert {value: Millionths().to_representation(value) for value in told} == told


# Pages of a list


def test_bob_reads_his_clusters_one_at_a_time_by_the_links(client, three_clusters):
    address, names = "/api/v1/clusters?limit=1", []
    while address:
        answer = client.get(address)
        names += [row["name"] for row in answer.json()["clusters"]]
        assert answer.json()["count"] == 1
        address = answer.get("Link", "").removeprefix("<").removesuffix(NEXT)
        assert (answer.json()["next"] or "") == address
    assert names == ["three", "two", "one"]


@pytest.mark.parametrize("limit", ["0", "101", "ten", "-1"])
def test_a_limit_that_is_none_is_told_by_name(client, bob, limit):
    client.force_login(bob)
    answer = client.get(f"/api/v1/clusters?limit={limit}")
    assert answer.status_code == 400
    assert answer.json()["invalid_parameters"][0]["field"] == "limit"


def test_a_list_that_bob_has_already_is_not_sent_again(client, three_clusters):
    first = client.get("/api/v1/clusters")
    assert first["ETag"].startswith('W/"')
    again = client.get("/api/v1/clusters", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    send(client, "POST", "/api/v1/clusters", {"name": "four"})
    changed = client.get("/api/v1/clusters", headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, changed.json()["count"]) == (200, 4)


def test_a_moment_is_told_with_its_zone(client, three_clusters):
    row = client.get("/api/v1/clusters").json()["clusters"][0]
    told = client.get(f"/api/v1/clusters/{row['cluster_id']}").json()["created_at"]
    assert parse_datetime(told).tzinfo is not None


# Acting once


def test_a_second_call_is_told_that_the_first_is_still_at_it(bob, transactional_db):
    asked = {"user": bob, "route": "/x", "key": "k", "payload": {}}
    begun, done = threading.Event(), threading.Event()

    def act():
        begun.set()
        done.wait(10)
        return 201, {"made": 1}

    def first():
        governance.answer_once(act=act, **asked)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    with pytest.raises(governance.KeyInUse) as told:
        governance.answer_once(act=act, **asked)
    assert (told.value.status, told.value.retry_seconds) == (409, 1)
    done.set()
    thread.join()
    assert governance.answer_once(act=act, **asked) == (201, {"made": 1}, True)


class Nonsense(governance.Refusal):
    """What was sent makes no sense, today and tomorrow."""

    status = 422


def refuse(kind):
    raise kind("no", invalid_parameters=[{"field": "a", "reason": "b"}], members={"c": 1})


def test_a_refusal_that_the_content_explains_is_repeated_and_its_key_is_used(bob):
    asked = partial(governance.answer_once, user=bob, route="/x", key="k")
    for is_repeated in (False, True):
        with pytest.raises(governance.Refusal) as told:
            asked(payload={"a": 1}, act=lambda: refuse(Nonsense))
        refusal = told.value
        assert (refusal.status, refusal.code, str(refusal)) == (422, "nonsense", "no")
        assert (refusal.is_repeated, refusal.members) == (is_repeated, {"c": 1})
        assert refusal.invalid_parameters == [{"field": "a", "reason": "b"}]
    with pytest.raises(governance.KeyReused):
        asked(payload={"a": 2}, act=lambda: (200, {}))


def test_what_was_done_before_a_refusal_is_undone_though_the_refusal_is_kept(bob):
    def act():
        bob.first_name = "Robert"
        bob.save()
        refuse(Nonsense)

    with pytest.raises(Nonsense):
        governance.answer_once(user=bob, route="/x", key="k", payload={}, act=act)
    bob.refresh_from_db()
    assert bob.first_name == ""
    assert Answer.objects.get().status == 422


def test_a_program_is_told_that_a_refusal_is_repeated(bob, digits):
    client = Client()
    client.force_login(bob)
    config = {"architecture": {"type": "feedforward", "layers": [{"type": "nothing"}]}}
    call = partial(send, client, "POST", "/api/v1/training-jobs", {"config": config})
    first, again = call(**{"Idempotency-Key": "k"}), call(**{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (422, 422)
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert first.json()["detail"] == again.json()["detail"]


def test_every_answer_is_told_field_by_field():
    """Of bills of materials CycloneDX says it."""
    for name, operation in operations():
        method, path = name.split()
        for status in (one for one in operation["responses"] if one < "300"):
            _, told = resolved(("paths", path, method, "responses", status))
            answered = told.get("content", {}).get("application/json")
            if answered is None:
                continue
            place = ("paths", path, method, "responses", status, "content", "application/json")
            _, shape = resolved((*place, "schema"))
            assert shape.get("properties") or shape.get("type") == "array", name
