"""What is noted down of a person who looks at pages."""

from allauth.usersessions.models import UserSession
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config import activity


def writes(client, **headers) -> int:
    with CaptureQueriesContext(connection) as asked:
        client.get("/jobs/", headers=headers)
    return sum("usersessions_usersession" in query["sql"] for query in asked.captured_queries)


def test_a_visit_is_noted_once_a_minute(client, alice, monkeypatch):
    client.force_login(alice)
    assert writes(client)
    noted = UserSession.objects.get(user=alice).last_seen_at
    assert not writes(client)
    monkeypatch.setattr(activity, "SECONDS", 0)  # the minute is over
    assert writes(client, **{"User-Agent": "another"})
    assert writes(client, **{"User-Agent": "another"})
    assert UserSession.objects.get(user=alice).last_seen_at > noted


def test_another_browser_is_noted_at_once(client, alice):
    client.force_login(alice)
    writes(client)
    assert writes(client, **{"User-Agent": "mallory's"})
    assert UserSession.objects.get(user=alice).user_agent == "mallory's"


def test_a_visitor_is_nobody_to_note(client, db):
    assert not writes(client)
    assert not UserSession.objects.exists()
