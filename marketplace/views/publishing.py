"""Publishing a model as a template."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from billing import services as billing
from governance.services import Refusal
from governance.views import MemberRequest
from marketplace import services as marketplace
from marketplace.forms.publishing import PublishForm
from marketplace.models import Plan
from training import services as training
from training.models import Category, Model


@login_required
@require_http_methods(["GET", "POST"])
def publish(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    model = get_object_or_404(Model.objects.of(request.user), pk=model_id)
    form = PublishForm(request.POST or None, initial={"name": model.name})
    if request.method == "POST" and form.is_valid():
        try:
            made = marketplace.publish_template(
                owner=request.user,
                model=model,
                name=form.cleaned_data["name"],
                summary=form.cleaned_data["summary"],
                description=form.cleaned_data["description"],
                category=Category(form.cleaned_data["category"]),
                plan=Plan(form.cleaned_data["plan"]),
                price_microcredits=billing.microcredits(form.cleaned_data["price"]),
                call_price_microcredits=billing.microcredits(form.cleaned_data["call_price"]),
            )
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Sent to review. It appears in the catalogue once approved.")
            return redirect(made)
    context = {
        "form": form,
        "model": model,
        "validation": model.validations.done().first(),
        "faults": training.publication_faults(model=model),
    }
    return render(request, "marketplace/publish.html", context)
