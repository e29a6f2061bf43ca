"""How much may be asked in so many seconds, and that everybody is told what is left."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from governance import services as governance
from governance.models import Quota, Scope
from governance.runner import answers
from governance.services import quotas


@pytest.fixture(autouse=True)
def few(settings):
    """Three calls of each kind."""
    settings.QUOTAS = {
        kind: {"member": 3, "anonymous": 3}
        for kind in ("pages", "api", "files", "predict", "questions")
    }
    quotas.windows.clear()
    yield
    quotas.windows.clear()


def take(caller, policy="api"):
    return governance.take_quota(policy=policy, caller=caller, is_member=True)


def test_a_program_of_bobs_is_told_what_is_left_and_when_to_come_again(client, bob):
    client.force_login(bob)
    left = []
    for _ in range(3):
        answer = client.get("/api/v1/clusters")
        assert answer["RateLimit-Policy"] == '"api";q=3;w=300'
        left.append(answer["RateLimit"])
    assert [one.split(";t=")[0] for one in left] == ['"api";r=2', '"api";r=1', '"api";r=0']
    refused = client.get("/api/v1/clusters")
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (429, "quota_exceeded")
    assert problem["violated-policies"] == ["api"]
    assert 0 < int(refused["Retry-After"]) <= 300
    assert refused["RateLimit"].startswith('"api";r=0;t=')


def test_what_bob_used_is_not_alices(client, alice, bob):
    for _ in range(4):
        standing = take("bob")
    assert standing.left < 0
    assert take("alice").left == 2
    assert take("bob", "predict").left == 2


def test_predictions_have_a_quota_of_their_own(client, bob):
    client.force_login(bob)
    for _ in range(4):
        client.get("/api/v1/clusters")
    answer = client.post(
        "/api/v1/models/00000000-0000-0000-0000-000000000000/predict",
        {"input_data": [1]},
        content_type="application/json",
    )
    assert answer.status_code == 404
    assert answer["RateLimit"].startswith('"predict";r=2')


def test_who_tries_keys_is_soon_told_nothing_of_them(db):
    statuses = []
    for path in ("/api/v1/models", "/v2/models/one", "/api/v1/clusters", "/api/v1/models"):
        headers = {"Authorization": f"Bearer nnm_live_{path}"}
        answer = Client().get(path, headers=headers)
        statuses.append(answer.status_code)
        assert answer["RateLimit"].startswith('"api";r=')
    assert statuses == [401, 401, 401, 429]
    assert answer.json()["code"] == "quota_exceeded"


def test_a_key_that_may_not_do_it_has_called_all_the_same(client, bob):
    _, secret = governance.create_api_key(owner=bob, name="k", scopes=[Scope.NOTICES_READ])
    for left in (2, 1):
        answer = client.get("/api/v1/models", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 403
        assert answer["RateLimit"].startswith(f'"api";r={left};')
    assert Quota.objects.get().caller == f"user {bob.pk}"


def test_of_ipv6_a_network_counts_as_one_caller(db):
    for last in ("1", "2:3:4"):
        assert governance.caller_of(None, f"2001:db8:7:8::{last}") == "address 2001:db8:7:8::"
    assert governance.caller_of(None, "2001:db8:7:9::1") == "address 2001:db8:7:9::"
    assert governance.caller_of(None, "::ffff:192.0.2.7") == "address 192.0.2.7"
    assert governance.caller_of(None, "192.0.2.7") == "address 192.0.2.7"
    assert governance.caller_of(None, "") == "address "


@pytest.mark.parametrize(
    "path",
    ["/downloads/made-up/", "/templates/none/try/model.wasm", "/batches/results/made-up/"],
)
def test_all_that_people_take_home_has_the_quota_of_files(client, bob, path):
    client.force_login(bob)
    assert client.get(path)["RateLimit"].startswith('"files";r=2')


NOWHERE = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "path",
    [
        "/templates/none/try/",
        "/templates/none/versions/1/review/try/",
        f"/models/{NOWHERE}/try/",
        f"/deployments/{NOWHERE}/",
    ],
)
def test_what_a_form_asks_a_model_is_counted_apart_from_pages_that_are_looked_at(client, bob, path):
    client.force_login(bob)
    assert client.post(path)["RateLimit"].startswith('"questions";r=2')
    assert client.get(path)["RateLimit"].startswith('"pages";r=2')
    asked = [client.post(path).status_code for _ in range(3)]
    assert asked == [404, 404, 429]


def test_who_opens_too_many_pages_gets_a_page_that_says_when(db):
    pages = [Client().get("/templates/") for _ in range(4)]
    assert [page.status_code for page in pages] == [200, 200, 200, 429]
    assert "answered in" in pages[-1].content.decode()
    assert int(pages[-1]["Retry-After"]) > 0
    assert Client().get("/healthz").status_code == 200


def test_processes_learn_of_each_other_after_a_fiftieth(settings, db):
    settings.QUOTAS = {"api": {"member": 100}}
    for _ in range(3):  # of the second, the database learns two at a time
        take("bob")
    assert Quota.objects.get().calls == 2
    Quota.objects.update(calls=90)  # as others counted
    assert take("bob").left == 8
    assert Quota.objects.get().calls == 92


def test_a_window_that_is_over_begins_anew(settings, db):
    for _ in range(4):
        take("bob")
    quotas.windows["api", "bob"].ends = time.monotonic()
    Quota.objects.update(began_at=timezone.now() - timedelta(seconds=301))
    assert take("bob").left == 2
    assert Quota.objects.get().calls == 1


def test_a_process_that_begins_anew_knows_what_was_used(db):
    for _ in range(3):
        take("bob")
    quotas.windows.clear()
    assert take("bob").left == 0
    assert take("bob").left < 0


def test_what_is_refused_asks_the_database_nothing(db, django_assert_num_queries):
    for _ in range(4):
        take("bob")
    with django_assert_num_queries(0):
        take("bob")


def test_windows_that_are_over_are_forgotten(db):
    take("bob")
    answers.forget_quotas()
    assert Quota.objects.count() == 1
    Quota.objects.update(began_at=timezone.now() - timedelta(seconds=301))
    answers.forget_quotas()
    assert not Quota.objects.exists()


def test_a_call_that_is_counted_costs_next_to_nothing(settings, db):
    settings.QUOTAS = {"predict": {"member": 120_000}}
    take("bob", "predict")
    fastest = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(200):
            assert take("bob", "predict").headers
        fastest.append((time.perf_counter() - began) / 200)
    assert min(fastest) < 0.000_2
