"""The pages of the catalogue, of publishing, and of deployments."""

import json
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.models import User
from governance.services import Refusal
from governance.views import MemberRequest, PageRequest, pressed_on, visitor
from marketplace import services as marketplace
from marketplace.forms import CatalogueForm, PublishForm
from marketplace.models import Deployment, Plan, Purchase, Template, TemplateQuerySet
from training import services as training
from training.models import Category, Model

PAGE_SIZE = 24
FEATURED = 6
SORTS = {
    "newest": "-published_at",
    "accuracy": "-accuracy",
    "fastest": "latency",
    "price": "price_microcredits",
}


# /


@require_GET
def home(request: PageRequest) -> HttpResponse:
    featured = list(Template.objects.public().with_current()[:FEATURED])
    context: dict[str, Any] = {
        "featured": featured,
        "templates_total": Template.objects.public().count(),
        "steps": path_steps(visitor(request)),
    }
    if featured:
        version = featured[0].current
        points = version.model.job.points.all()
        context |= {
            "showcase": featured[0],
            "curves": {
                "training": [(point.epoch, point.train_loss) for point in points],
                "validation": [(point.epoch, point.validation_loss) for point in points],
            },
        }
    return render(request, "marketplace/home.html", context)


def path_steps(user: User | None) -> list[dict[str, str]]:
    """The five steps of the platform, with how far this person has come."""
    done = [False] * 5
    if user is not None:
        done = [
            user.models.exists(),
            user.models.filter(validations__status="done").exists(),
            user.templates.exists(),
            user.templates.filter(purchases__isnull=False).exists(),
            user.deployments.exists(),
        ]
    current = done.index(False) if user is not None and False in done else -1
    labels = [
        ("Train", "in a sandbox, on real rows", reverse("training:new_job")),
        ("Validate", "on rows it never saw", reverse("training:models")),
        ("Publish", "a moderator looks at it", reverse("training:models")),
        ("Sell", "70 % is yours", reverse("billing:wallet")),
        ("Deploy and use", "by page or API", reverse("marketplace:deployments")),
    ]
    return [
        {
            "label": label,
            "hint": hint,
            "url": url,
            "state": "done" if done[place] else "current" if place == current else "todo",
        }
        for place, (label, hint, url) in enumerate(labels)
    ]


# /templates/


def search(form: CatalogueForm) -> TemplateQuerySet:
    asked = form.cleaned_data
    found = Template.objects.public()
    if asked.get("q"):
        words = asked["q"]
        found = found.filter(
            models.Q(name__icontains=words)
            | models.Q(summary__icontains=words)
            | models.Q(description__icontains=words)
            | models.Q(owner__username__iexact=words)
        )
    return found


@require_GET
@vary_on_headers("HX-Request")
def catalogue(request: PageRequest) -> HttpResponse:
    form = CatalogueForm(request.GET)
    form.is_valid()
    found = search(form)
    counts = dict(found.order_by().values_list("category").annotate(n=models.Count("id")))
    chosen = form.cleaned_data.get("category", "")
    sort = form.cleaned_data.get("sort") or "newest"
    query = form.cleaned_data.get("q", "")
    rows = found.filter(category=chosen) if chosen else found
    rows = rows.annotate(
        accuracy=models.Max("versions__validation__accuracy"),
        latency=models.Min("versions__validation__latency_p50_ms"),
    ).order_by(SORTS[sort], "id")
    context = {
        "page_obj": Paginator(rows.with_current(), PAGE_SIZE).get_page(request.GET.get("page")),
        "query": query,
        "sort": sort,
        "sorts": CatalogueForm.SORTS,
        "chosen": chosen,
        "facets": facets(counts, chosen=chosen, query=query, sort=sort),
    }
    page = "marketplace/catalogue.html#results" if request.htmx else "marketplace/catalogue.html"
    return render(request, page, context)


def facets(counts: dict[str, int], *, chosen: str, query: str, sort: str) -> list[dict[str, Any]]:
    """The categories that would find something, each with its count and address."""
    rows = [("", "All", sum(counts.values()))]
    rows += [(key, label, counts[key]) for key, label in Category.choices if key in counts]
    address = reverse("marketplace:catalogue")
    return [
        {
            "label": label,
            "count": count,
            "is_chosen": key == chosen,
            "url": f"{address}?"
            + urlencode({k: v for k, v in (("q", query), ("category", key), ("sort", sort)) if v}),
        }
        for key, label, count in rows
    ]


@require_GET
def template(request: PageRequest, slug: str) -> HttpResponse:
    user = visitor(request)
    rows = Template.objects.visible_to(user).with_current()
    found = get_object_or_404(rows, slug=slug)
    validation = found.current.validation
    context = {
        "template": found,
        "version": found.current,
        "validation": validation,
        "shows_rows": found.current.model.job.dataset.is_visible_to(user),
        "is_owner": user is not None and found.owner_id == user.pk,
        "may_deploy": user is not None and marketplace.may_deploy(user, found),
        "sales": found.purchases.count(),
        "snippet": snippet(request, found.current.model),
    }
    return render(request, "marketplace/template.html", context)


def snippet(request: PageRequest, model: Model) -> str:
    """A call that runs once the key is put in, about a row the model never saw."""
    address = request.build_absolute_uri(reverse("marketplace:api_predict", args=[model.pk]))
    question = training.example_question(model=model, viewer=visitor(request))
    body = json.dumps({"input_data": question}, ensure_ascii=False)
    quoted = body.replace("'", "'\\''")  # as a shell takes it
    return (
        f"curl -X POST {address} \\\n"
        "  -H 'Authorization: Bearer YOUR_KEY' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{quoted}'"
    )


@pressed_on("../")
def buy_template(request: MemberRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Template.objects.visible_to(request.user), slug=slug)
    try:
        purchase = marketplace.buy_template(buyer=request.user, template=found)
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect(found)
    price = billing.credits(purchase.price_microcredits)
    author = billing.credits(purchase.author_microcredits)
    messages.success(
        request,
        f"“{found.name}” is yours for {price} credits; {author} of them went to {found.owner}.",
    )
    return redirect(found)


@pressed_on("../")
def deploy_template(request: MemberRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Template.objects.visible_to(request.user), slug=slug)
    deployment = marketplace.deploy_template(owner=request.user, template=found)
    messages.success(request, f"“{deployment.name}” is deployed and answers.")
    return redirect(deployment)


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


@login_required
@require_GET
def mine(request: MemberRequest) -> HttpResponse:
    """What a person offers and what a person bought."""
    context = {
        "offered": Template.objects.of(request.user).with_current(),
        "bought": Purchase.objects.of(request.user).select_related("template__owner"),
    }
    return render(request, "marketplace/mine.html", context)


# /deployments/


@login_required
@require_GET
def deployments(request: MemberRequest) -> HttpResponse:
    rows = Deployment.objects.of(request.user).select_related("version__template__owner", "model")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "marketplace/deployments.html", {"page_obj": page})


def found_deployment(request: MemberRequest, deployment_id: uuid.UUID) -> Deployment:
    rows = Deployment.objects.of(request.user).select_related(
        "version__template__owner", "model__job__dataset"
    )
    return get_object_or_404(rows, pk=deployment_id)


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def deployment(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    """Ask the model something, and see what it makes of it."""
    found = found_deployment(request, deployment_id)
    context: dict[str, Any] = {"deployment": found, "told": {"told-answer": ""}}
    if request.method == "POST":
        context |= answered(request, found)
        if request.htmx:
            return render(request, "training/_answered.html", context)
    else:
        context["sheet"] = training.blank_sheet(model=found.model, viewer=request.user)
    context |= {
        "usage": marketplace.usage(found),
        "snippet": snippet(request, found.model),
    }
    return render(request, "marketplace/deployment.html", context)


def answered(request: MemberRequest, deployment: Deployment) -> dict[str, Any]:
    """The answer to a posted question, and what it cost; or what is wrong with it."""
    costs = []

    def answer(question: object) -> list[training.Prediction]:
        given = marketplace.predict(
            user=request.user, deployment=deployment, rows=question, event_id=uuid.uuid4()
        )
        costs.append(billing.credits(given.microcredits))
        return given.predictions

    sheet = training.ask_model(
        model=deployment.model,
        viewer=request.user,
        posted=request.POST,
        picture=request.FILES.get("picture"),
        answer=answer,
    )
    return {"sheet": sheet, "cost": costs[0] if costs else None}


@pressed_on("../")
def stop_deployment(request: MemberRequest, deployment_id: uuid.UUID) -> HttpResponse:
    found = found_deployment(request, deployment_id)
    marketplace.stop_deployment(actor=request.user, deployment=found)
    messages.success(request, f"“{found.name}” is stopped.")
    return redirect("marketplace:deployments")
