"""Deploying several templates at once, or one after training it further: what it costs, and doing
it.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from governance.services import Refusal
from governance.views import MemberRequest, led_once
from marketplace import services as marketplace
from marketplace.forms.deployments import DeployForm
from marketplace.models import Template
from marketplace.views.found import found_template
from training.models import Dataset

ASKED_MAX = marketplace.TEMPLATES_AT_ONCE + 1  # one more is refused, and many more no better


@login_required
@require_http_methods(["GET", "POST"])
def deploy_several(request: MemberRequest) -> HttpResponse:
    """Templates by their addresses, `?t=one&t=two`: the price first, then all of them or none."""
    given = request.POST if request.method == "POST" else request.GET
    slugs = list(dict.fromkeys(given.getlist("t")))[:ASKED_MAX]
    templates = [found_template(request, slug) for slug in slugs]
    tunes = len(templates) == 1 and templates[0].owner_id == request.user.pk
    datasets = Dataset.objects.visible_to(request.user).ready().newest() if tunes else None
    is_asked = request.method == "POST" or "dataset" in given
    form = DeployForm(given if is_asked else None, datasets=datasets)
    context: dict[str, Any] = {"templates": templates, "form": form, "tunes": tunes}
    if not templates or (is_asked and not form.is_valid()):
        return render(request, "marketplace/deploy.html", context)
    config = form.config() if is_asked else {}
    try:
        if request.method == "POST":
            return redirect(led_once(request, lambda: deployed(request, templates, config)))
        context["quotes"] = marketplace.quote_deployments(
            owner=request.user, templates=templates, custom_config=config
        )
        context["total"] = sum(each.total for each in context["quotes"])
        context["is_due"] = any(each.purchase for each in context["quotes"])
    except Refusal as refusal:
        context["refusal"] = refusal
    return render(request, "marketplace/deploy.html", context)


def deployed(request: MemberRequest, templates: list[Template], config: dict[str, Any]) -> str:
    made = marketplace.deploy_templates(
        owner=request.user, templates=templates, custom_config=config
    )
    if len(made) == 1:
        return made[0].get_absolute_url()
    messages.success(request, f"{len(made)} templates are deployed and answer.")
    return reverse("marketplace:deployments")
