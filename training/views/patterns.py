"""The page of the divergent patterns."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from governance.views import PageRequest
from training import services as training


@require_GET
def patterns(request: PageRequest) -> HttpResponse:
    return render(request, "training/patterns.html", {"found": training.patterns()})
