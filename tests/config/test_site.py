"""What holds for every page: headers, health, problems, ids that follow the work."""

import io
import json
import re
from urllib.parse import urlsplit

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from config import problems
from training import services as training
from training.models import Job

PAGES = ["/", "/templates/", "/datasets/", "/account/login/", "/account/signup/", "/api/docs/"]


@pytest.mark.parametrize("address", PAGES)
def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(client, db, address):
    page = client.get(address)
    assert page.status_code == 200
    policy = page["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["X-Frame-Options"] == "DENY"
    content = page.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", content)
    assert not re.search(r"""\s(style|on\w+)=["']""", content)
    assert not re.search(r"""(src|href)=["']https?://""", content)


def test_the_operations_are_listed_on_a_page_like_the_others(client, alice):
    client.force_login(alice)
    page = client.get("/api/docs/").content.decode()
    assert 'aria-label="Main"' in page
    assert 'id="swagger-ui"' in page
    assert f'href="{reverse("governance:keys")}"' in page
    script = re.search(r'src="(/api/docs/\?script=)"', page)
    assert script is not None
    assert "SwaggerUIBundle(" in client.get(script[1]).content.decode()


def test_the_admin_has_a_policy_of_its_own(client, db):
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    assert "'unsafe-eval'" in policy
    assert "default-src 'self'" in policy


def test_health_and_readiness_say_what_they_know(client, db):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"database": "ok", "broker": "ok", "status": "ok"}


def test_a_broker_that_cannot_be_reached_is_named(client, db, settings):
    address = current_app.conf.broker_write_url
    current_app.conf.broker_write_url = "redis://127.0.0.1:1/0"
    try:
        answer = client.get("/readyz")
    finally:
        current_app.conf.broker_write_url = address
    assert answer.status_code == 503
    assert answer.json()["database"] == "ok"
    assert answer.json()["broker"] != "ok"


def test_metrics_are_counted(client, db):
    client.get("/")
    page = client.get("/metrics").content.decode()
    assert "django_http_requests_total_by_view_transport_method_total" in page


def test_metrics_are_for_whoever_has_the_token(client, db, settings):
    settings.SECURE = True
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "geheim ü"
    for token in ("", "Bearer ", "Bearer x"):
        assert client.get("/metrics", headers={"Authorization": token}).status_code == 404
    settings.METRICS_TOKEN = "secret"
    assert client.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_an_unknown_page_is_a_page_and_an_unknown_operation_a_problem(client, db):
    page = client.get("/nowhere/")
    assert page.status_code == 404
    assert "<html" in page.content.decode()
    problem = client.get("/api/v1/nowhere")
    assert problem.json()["code"] == "not_found"


@pytest.mark.parametrize("address", ["/datasets/?category=%00", "/jobs/new/?dataset=a%00"])
def test_a_character_that_no_text_has_is_a_bad_request(client, alice, address):
    client.force_login(alice)
    answer = client.get(address)
    assert answer.status_code == 400
    assert "NUL" in answer.content.decode()


def test_the_api_is_described_without_a_name_that_two_things_have(db):
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())


def test_a_fault_of_ours_is_said_with_the_id_of_its_log(db, settings, client):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE marketplace_template RENAME TO lost")
    client.raise_request_exception = False
    page = client.get("/")
    assert page.status_code == 500
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", page.content.decode())


def test_the_theme_is_remembered_without_a_flash(client, db):
    client.cookies["theme"] = "dark"
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert "<script>" not in client.get("/").content.decode().replace("<script src", "")


def test_a_job_carries_the_id_of_the_request_that_started_it(client, alice, digits):
    client.force_login(alice)
    form = {
        "dataset": "digits",
        "tier": "nano",
        "seed": "0",
        "config": json.dumps(training.PRESETS["digits"]),
    }
    page = client.post(reverse("training:new_job"), form | {"action": "start"})
    assert Job.objects.get().request_id == page["X-Request-ID"] != ""


def test_a_problems_type_is_a_page_that_explains_it(client, alice, digits):
    client.force_login(alice)
    answer = client.post("/api/v1/training-jobs", {"config": {}}, content_type="application/json")
    page = client.get(urlsplit(answer.json()["type"]).path)
    assert page.status_code == 200
    assert "invalid_config" in page.content.decode()
    assert client.get("/problems/no-such-thing/").status_code == 404


def test_every_refusal_says_what_it_means():
    silent = [code for code, kind in problems.refusals().items() if not kind.__doc__]
    assert silent == []


def test_a_form_without_its_token_is_a_page_with_a_way_out(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    page = client.post("/account/keys/", {"name": "x", "scopes": ["predict"]})
    assert page.status_code == 403
    assert "This form is too old" in page.content.decode()
