"""bob looks at how his deployment does; what is counted costs calls nothing."""

import json
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from marketplace import services as marketplace
from marketplace.models import Call, Deployment, Served
from marketplace.runner import minutes
from marketplace.runner.minutes import BUCKETS, RECORDER, Noted, bucket_of, edge_of, percentile
from marketplace.services.dashboards import Tally
from tests.marketplace.test_deployments import ROW, asked

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture(autouse=True)
def _nothing_counted_yet():
    RECORDER.clear()
    yield
    RECORDER.clear()


def ask(user, deployment, rows=(ROW,), event_id=None):
    fresh = Deployment.objects.select_related("stable").get(pk=deployment.pk)
    return marketplace.predict(
        user=user, deployment=fresh, rows=list(rows), event_id=event_id or uuid.uuid4()
    )


def seen(deployment, window="1h", **when):
    RECORDER.flush()
    return marketplace.dashboard(deployment=deployment, window=marketplace.WINDOWS[window], **when)


def test_buckets_tell_latencies_to_a_fifth():
    for milliseconds in (0.01, 0.1, 0.11, 1.0, 7.3, 250.0, 60_000.0, 10**9):
        edge = edge_of(bucket_of(milliseconds))
        assert edge >= min(milliseconds, edge_of(BUCKETS - 1))
        assert edge <= max(milliseconds * 1.19, 0.1)
    latencies = [0] * BUCKETS
    for milliseconds in range(1, 101):
        latencies[bucket_of(milliseconds)] += 1
    assert percentile(latencies, 0.5) == pytest.approx(50, rel=0.19)
    assert percentile(latencies, 0.99) == pytest.approx(99, rel=0.19)
    assert percentile([0] * BUCKETS, 0.5) is None


@pytest.mark.parametrize(
    ("answered", "told"),
    [(0, set()), (1, {"p50"}), (90, {"p50", "p95"}), (459, {"p50", "p95", "p99"})],
)
def test_a_percentile_is_told_of_as_many_answers_as_it_needs(answered, told):
    tally = Tally()
    tally.latencies[bucket_of(1.0)] = answered
    assert set(tally.percentiles) == told


def test_calls_rows_latency_and_errors_are_counted_by_what_became_of_them(bob, deployment):
    ask(bob, deployment, [ROW] * 3)
    ask(bob, deployment)
    with pytest.raises(Exception, match="64 values"):
        ask(bob, deployment, [[1, 2]])
    found = seen(deployment)
    assert (found.total.calls, found.total.rows) == (3, 4)
    assert dict(found.total.errors) == {"invalid_rows": 1}
    assert sum(found.counts) == 2
    assert len(found.edges) == len(found.counts) + 1
    assert set(found.total.percentiles) == {"p50"}  # of two answers
    assert sum(y for _, y in found.calls["version 1"]) == 3
    assert sum(found.cost_by_day.values()) == pytest.approx(0.004)


def test_counting_asks_the_database_nothing(bob, deployment, django_assert_num_queries):
    ask(bob, deployment)
    fresh = Deployment.objects.select_related("stable").get(pk=deployment.pk)
    with django_assert_num_queries(1):  # the metered event
        marketplace.predict(user=bob, deployment=fresh, rows=[ROW], event_id=uuid.uuid4())


def test_two_processes_add_up_and_nothing_is_written_twice(bob, deployment):
    for _ in range(3):
        ask(bob, deployment)
        RECORDER.flush()
    RECORDER.flush()
    for span in Served.Span:
        row = Served.objects.get(span=span)
        assert (row.calls, sum(row.latencies)) == (3, 3)


def test_the_calls_of_what_is_gone_cost_the_others_no_figures(bob, deployment):
    gone = Noted(
        deployment=Deployment(),
        route_id=10**9,
        event_id=uuid.uuid4(),
        rows=1,
        milliseconds=1.0,
        outcome="ok",
        asked=None,
    )
    RECORDER.note(gone)
    ask(bob, deployment)
    assert seen(deployment).total.calls == 1
    assert Call.objects.count() == 1
    connection.check_constraints()


def test_a_canary_stands_beside_the_stable_version(bob, deployment, second):
    marketplace.start_canary(actor=bob, deployment=deployment, version=2, share=50)
    for number in range(20):
        ask(bob, deployment, event_id=uuid.UUID(int=number))
    found = seen(deployment)
    assert found.is_compared
    assert sum(each.calls for each in found.versions.values()) == 20
    assert set(found.versions) == {"version 1", "version 2"}


def test_every_window_shows_what_it_spans(bob, deployment):
    ask(bob, deployment)
    RECORDER.flush()
    hour_ago = timezone.now() + timedelta(hours=2)
    assert seen(deployment, "1h", now=hour_ago).total.calls == 0
    for window in ("24h", "7d", "30d"):
        found = seen(deployment, window, now=hour_ago)
        assert found.total.calls == 1
        assert sum(y for _, y in found.calls["version 1"]) == 1
        length = marketplace.WINDOWS[window].length
        assert seen(deployment, window, now=timezone.now() + length).total.calls == 0


def test_inputs_are_kept_only_while_bob_wishes_it(bob, mallory, deployment):
    ask(bob, deployment)
    with pytest.raises(Deployment.DoesNotExist):
        marketplace.log_inputs(actor=mallory, deployment=deployment, hours=1)
    with pytest.raises(marketplace.InvalidDeployment, match="hours: must be from 0 to 24"):
        marketplace.log_inputs(actor=bob, deployment=deployment, hours=25)
    marketplace.log_inputs(actor=bob, deployment=deployment, hours=1)
    ask(bob, deployment, [[1.0] * 64])
    RECORDER.flush()
    second_call, first = marketplace.last_calls(deployment=deployment)
    assert first.asked == ""
    assert json.loads(second_call.asked) == [[1.0] * 64]
    ask(bob, deployment)  # not written yet
    marketplace.log_inputs(actor=bob, deployment=deployment, hours=0)
    RECORDER.flush()
    assert Call.objects.count() == 3
    assert not Call.objects.exclude(asked="").exists()


def test_what_was_written_just_as_bob_wished_it_no_longer_goes_with_the_sweep(bob, deployment):
    ask(bob, deployment)
    RECORDER.flush()
    Call.objects.update(asked="[1]")
    minutes.forget()
    assert Call.objects.get().asked == ""


def test_what_is_old_is_forgotten(bob, deployment):
    marketplace.log_inputs(actor=bob, deployment=deployment, hours=1)
    ask(bob, deployment)
    RECORDER.flush()
    Served.objects.update(at=timezone.now() - timedelta(days=3))
    Call.objects.update(at=timezone.now() - timedelta(days=3))
    minutes.forget()
    assert [row.span for row in Served.objects.all()] == ["hour"]
    assert Call.objects.get().asked == ""
    minutes.CALLS_SHOWN_MAX, most = 0, minutes.CALLS_SHOWN_MAX
    try:
        minutes.forget()
    finally:
        minutes.CALLS_SHOWN_MAX = most
    assert not Call.objects.exists()


def test_the_pages_of_a_deployment_stay_within_their_budget(
    client,
    bob,
    mallory,
    deployment,
    second,
    django_assert_max_num_queries,
):
    marketplace.start_canary(actor=bob, deployment=deployment, version=2, share=50)
    for number in range(10):
        ask(bob, deployment, event_id=uuid.UUID(int=number))
    RECORDER.flush()
    base = deployment.get_absolute_url()
    pages = ("dashboard/", "dashboard/?window=30d", "calls/", "versions/", "settings/")
    client.force_login(bob)
    for page in pages:
        client.get(base + page)
        with django_assert_max_num_queries(12):
            assert client.get(base + page).status_code == 200, page
    told = client.get(f"{base}dashboard/").content.decode()
    assert "version 2" in told
    assert "Errors" in told
    assert client.get(f"{base}dashboard/?window=century").status_code == 404
    client.force_login(mallory)
    for page in pages:
        assert client.get(base + page).status_code == 404


def test_bob_leads_everything_on_the_pages_without_javascript(client, bob, deployment, second):
    client.force_login(bob)
    base = deployment.get_absolute_url()
    client.post(f"{base}versions/canary/", {"version": 2, "share": 25})
    page = client.get(f"{base}versions/").content.decode()
    assert "25 %" in page
    client.post(f"{base}versions/promote/")
    client.post(f"{base}versions/rollback/", {"route_set": 1})
    client.post(f"{base}versions/canary/", {"version": 2, "share": 25})
    client.post(f"{base}versions/abort/")
    deployment.refresh_from_db()
    assert deployment.answering.route_set.number == 6
    refused = client.post(f"{base}settings/", {"name": "x", "batch_limit": 0, "timeout_ms": 5})
    assert "batch_limit" in refused.content.decode()
    sent = {
        "name": "Inbox",
        "follows": "current",
        "aggregation": "",
        "batch_limit": 5,
        "timeout_ms": 900,
        "spend_cap": "1.5",
        "spend_period": "total",
    }
    assert client.post(f"{base}settings/", sent).status_code == 302
    deployment.refresh_from_db()
    assert (deployment.name, deployment.spend_cap_microcredits) == ("Inbox", 1_500_000)
    client.post(f"{base}calls/inputs/", {"hours": 1})
    client.post(f"{base}stop/")
    client.post(f"{base}start/")
    deployment.refresh_from_db()
    assert deployment.is_active
    assert deployment.inputs_logged_until is not None


def test_a_program_reads_the_figures(client, bob, deployment):
    ask(bob, deployment)
    RECORDER.flush()
    client.force_login(bob)
    address = f"/api/v1/deployments/{deployment.pk}"
    told = client.get(f"{address}/metrics?window=24h").json()
    assert (told["calls"], told["rows"], told["errors"]) == (1, 1, {})
    assert told["latency_ms"]["p50"] > 0
    assert asked(client, "GET", f"{address}/metrics?window=1y").status_code == 400
    calls = client.get(f"{address}/calls").json()["calls"]
    assert (calls[0]["version"], calls[0]["outcome"]) == (1, "answered")
