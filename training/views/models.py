"""The pages of models."""

import uuid

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from governance.views import MemberRequest
from training import services as training
from training.models import Model, Validation

PAGE_SIZE = 20


@login_required
@require_GET
def models(request: MemberRequest) -> HttpResponse:
    rows = Model.objects.of(request.user).select_related("job__dataset")
    measured = Prefetch("validations", queryset=Validation.objects.done())
    page = Paginator(rows.prefetch_related(measured), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "training/models.html", {"page_obj": page})


@login_required
@vary_on_headers("HX-Request")
@require_GET
def model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    rows = Model.objects.of(request.user).select_related("job__dataset")
    found = get_object_or_404(rows, pk=model_id)
    context = {
        "model": found,
        "validation": found.validations.first(),
        "measured": found.validations.done().first(),
    }
    template = "training/model.html#validation" if request.htmx else "training/model.html"
    return render(request, template, context)


@login_required
@require_POST
def validate_model(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Model.objects.of(request.user), pk=model_id)
    training.validate_model(actor=request.user, model=found)
    return redirect(found)
