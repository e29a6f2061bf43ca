"""The way to a draft: choosing the model that a template, or its next version, is about."""

import uuid
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import Case, Exists, OuterRef, Prefetch, Value, When
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from governance.services import Refusal
from governance.views import MemberRequest, led_once, pressed_on
from marketplace import services as marketplace
from marketplace.forms.publishing import NewVersionForm, blame
from marketplace.models import Template, TemplateVersion
from training import services as training
from training.models import Model, Validation

MODELS_SHOWN = 12


@dataclass(frozen=True)
class Choice:
    """A model to publish, and what stands before it."""

    model: Model
    faults: list[training.Fault]

    @property
    def measured(self) -> Validation | None:
        return next(iter(self.model.validations.all()), None)


def choices(request: MemberRequest, chosen: uuid.UUID | None) -> tuple[Page[Model], list[Choice]]:
    """A page of one's own models: the one that was asked for, then those that are measured, the
    newest first.
    """
    done = Validation.objects.done()
    rows = (
        Model.objects.of(request.user)
        .listed()
        .select_related("job__dataset")
        .prefetch_related(Prefetch("validations", queryset=done))
        .annotate(
            is_chosen=Case(When(pk=chosen, then=Value(1)), default=Value(0)),
            is_measured=Exists(done.filter(model=OuterRef("pk"))),
        )
        .order_by("-is_chosen", "-is_measured", "-created_at")
    )
    page = Paginator(rows, MODELS_SHOWN).get_page(request.GET.get("page"))
    found = list(page.object_list)
    faults = training.faults_by_model(models=found)
    return page, [Choice(model, faults[model.pk]) for model in found]


def id_in(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


def chosen_model(request: MemberRequest) -> Model | None:
    """The model that was picked, if it is one's own."""
    model_id = id_in(request.POST.get("model"))
    return Model.objects.of(request.user).filter(pk=model_id).first() if model_id else None


@login_required
@require_http_methods(["GET", "POST"])
def new_template(request: MemberRequest) -> HttpResponse:
    """The first step: nothing is stored until a model is chosen."""
    error = ""
    if request.method == "POST":
        model = chosen_model(request)
        if model is None:
            error = "Choose one of your models."
        else:
            start = marketplace.start_template
            return redirect(
                led_once(request, lambda: draft_url(start(owner=request.user, model=model)))
            )
    chosen = id_in(request.POST.get("model") or request.GET.get("model"))
    page, found = choices(request, chosen)
    context = {
        "page_obj": page,
        "choices": found,
        "chosen": chosen,
        "error": error,
        "steps": first_steps(),
    }
    return render(request, "marketplace/new_template.html", context)


def first_steps() -> list[dict[str, str]]:
    first, *others = marketplace.Step
    return [
        {"label": first.label, "state": "current"},
        *({"label": step.label, "state": "todo"} for step in others),
    ]


def draft_url(template: Template) -> str:
    return f"{template.get_absolute_url()}draft/"


@login_required
@require_GET
def publish(request: MemberRequest, model_id: uuid.UUID) -> HttpResponse:
    """From the page of a model: on with the draft about it, or to a new one."""
    model = get_object_or_404(Model.objects.of(request.user), pk=model_id)
    open_ones = TemplateVersion.objects.open().filter(template__owner=request.user, model=model)
    version = open_ones.select_related("template").order_by("-created_at").first()
    if version is not None:
        return redirect(draft_url(version.template))
    return redirect(f"/templates/new/?model={model.pk}")


@login_required
@require_http_methods(["GET", "POST"])
def new_version(request: MemberRequest, slug: str) -> HttpResponse:
    """What is new, and which model it is about."""
    template = get_object_or_404(Template.objects.of(request.user), slug=slug)
    started = template.versions.open().first()
    if started is not None and request.method == "GET":
        return redirect(draft_url(template))
    form, error = NewVersionForm(request.POST or None), ""
    if request.method == "POST":
        model = chosen_model(request)
        if form.is_valid() and model is not None:
            try:
                marketplace.start_version(
                    owner=request.user,
                    template=template,
                    model=model,
                    changelog=form.cleaned_data["changelog"],
                )
            except Refusal as refusal:
                blame(form, refusal)
            else:
                return redirect(draft_url(template))
        error = "" if model else "Choose one of your models."
    chosen = id_in(request.POST.get("model")) or template.shown.model_id
    page, found = choices(request, chosen)
    context = {
        "template": template,
        "form": form,
        "page_obj": page,
        "choices": found,
        "chosen": chosen,
        "error": error,
    }
    return render(request, "marketplace/new_version.html", context)


@pressed_on("../")
def discard_draft(request: MemberRequest, slug: str) -> HttpResponse:
    template = get_object_or_404(Template.objects.of(request.user), slug=slug)
    version = template.versions.open().first()
    if version is None:
        raise Refusal(f"“{template}” has no draft.")
    marketplace.discard_version(actor=request.user, version=version)
    messages.success(request, f"The draft of “{template}” is discarded.")
    return redirect("marketplace:mine")
