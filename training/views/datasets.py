"""The pages of datasets."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from governance.views import PageRequest, visitor
from training import services as training
from training.models import Dataset


@require_GET
def datasets(request: PageRequest) -> HttpResponse:
    return render(
        request,
        "training/datasets.html",
        {"datasets": Dataset.objects.visible_to(visitor(request))},
    )


@require_GET
def dataset(request: PageRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Dataset.objects.visible_to(visitor(request)), slug=slug)
    context: dict[str, Any] = {"dataset": found}
    if found.sha256:
        context |= {
            "preview": training.preview_rows(dataset=found),
            "balance": dict(zip(found.classes, found.class_balance, strict=True)),
            "highest": training.highest_value(found),
        }
    return render(request, "training/dataset.html", context)
