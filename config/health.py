"""What those who run the site ask it: are you alive, can you work, what have you counted?"""

import secrets

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django_prometheus.exports import ExportToDjangoView
from kombu.exceptions import OperationalError


@require_GET
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Touches nothing else, so a slow database does not get it restarted."""
    return JsonResponse({"status": "ok"})


def database_fault() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return str(error).strip()
    return ""


def broker_fault() -> str:
    try:
        with current_app.connection_for_write(connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except OperationalError as error:
        return str(error).strip()
    return ""


@require_GET
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """The parts a request needs can be reached; 503 names the one that cannot."""
    faults = {"database": database_fault(), "broker": broker_fault()}
    ready = not any(faults.values())
    answer = {name: fault or "ok" for name, fault in faults.items()}
    answer["status"] = "ok" if ready else "unavailable"
    return JsonResponse(answer, status=200 if ready else 503)


def may_read_metrics(request: HttpRequest) -> bool:
    if not settings.METRICS_TOKEN:
        return not settings.SECURE  # on a machine of one's own
    given = request.headers.get("Authorization", "").encode()
    return secrets.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())


@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """How much everybody does is no one's business but the operator's, who has the token."""
    if not may_read_metrics(request):
        raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    return response
