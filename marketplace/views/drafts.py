"""The steps of publishing, one address each. Every step saves a draft: when a button is pressed,
and, with scripts, as soon as a field is left. What is typed is never sent back while one types;
only what was worked out from it is.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from governance.services import Refusal
from governance.views import MemberRequest
from marketplace import services as marketplace
from marketplace.forms.publishing import CardForm, FilesForm, PriceForm, SubmitForm, blame
from marketplace.models import Plan, Template, TemplateVersion
from marketplace.services import Lack, Step
from marketplace.views.publishing import choices, chosen_model, id_in
from training import services as training

EXAMPLES_SHOWN = 12
LOOK = "look"  # what is typed is shown as it would be, and not stored
SAVED = "Draft saved."


def open_version(request: MemberRequest, slug: str) -> TemplateVersion | None:
    """The version on the way of one's own template."""
    template = get_object_or_404(Template.objects.of(request.user), slug=slug)
    rows = template.versions.open().select_related("template", "model__job__dataset")
    return rows.first()


@login_required
@require_http_methods(["GET"])
def draft(request: MemberRequest, slug: str) -> HttpResponse:
    """On to the first step that lacks something."""
    version = open_version(request, slug)
    if version is None or not version.is_editable:
        return redirect("marketplace:versions", slug)
    lacks = marketplace.lacks_of(version=version)
    return redirect(step_url(version, lacks[0].step if lacks else Step.SUBMIT))


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "POST"])
def step(request: MemberRequest, slug: str, step: str) -> HttpResponse:
    if step not in [one.value for one in Step]:
        raise Http404
    version = open_version(request, slug)
    if version is None or not version.is_editable:
        messages.info(request, "There is no draft here; what was submitted can be recalled.")
        return redirect("marketplace:versions", slug)
    return ANSWERS[Step(step)](request, version)


def step_url(version: TemplateVersion, step: Step) -> str:
    return reverse("marketplace:draft_step", args=[version.template.slug, step])


def page(
    request: MemberRequest,
    version: TemplateVersion,
    step: Step,
    part: str = "",
    *,
    lacks: list[Lack] | None = None,
    **context: Any,
) -> HttpResponse:
    """A step, or, as the answer to what is typed or waited for, the part of it that was worked
    out.
    """
    if not request.htmx or not part:
        lacks = marketplace.lacks_of(version=version) if lacks is None else lacks
        order = list(Step)
        place = order.index(step)
        context |= {
            "steps": [marked(version, lacks, one, step) for one in Step],
            "before": step_url(version, order[place - 1]) if place else "",
            "title": step.label,
        }
        part = ""
    said = context.setdefault("told", {"told-draft": ""})
    assert isinstance(said, dict)
    context |= {"version": version, "template": version.template, "model": version.model}
    return render(request, f"marketplace/draft_{step}.html{part and '#'}{part}", context)


def marked(
    version: TemplateVersion, lacks: list[Lack], step: Step, current: Step
) -> dict[str, str]:
    """A step as the stepper shows it: what lacks something is marked once it was passed."""
    is_lacking = any(lack.step is step for lack in lacks)
    order = list(Step)
    if step is current:
        state = "current"
    elif is_lacking or step is Step.SUBMIT:
        state = "failed" if order.index(step) < order.index(current) else "todo"
    else:
        state = "done"
    return {
        "label": step.label,
        "state": state,
        "url": "" if step is current else step_url(version, step),
        "hint": hint(version, step),
    }


def hint(version: TemplateVersion, step: Step) -> str:
    """What was settled there, in a word."""
    if step is Step.MODEL:
        return version.model.name
    if step is Step.PRICE:
        price = version.price_microcredits
        return f"{billing.credits(price)} credits" if price else "Free"
    return ""


def onward(request: MemberRequest, version: TemplateVersion, step: Step) -> HttpResponse:
    """After a button: to the next step, or here again."""
    order = list(Step)
    if request.POST.get("action") == "stay" or step is order[-1]:
        messages.success(request, SAVED)
        return redirect(step_url(version, step))
    return redirect(step_url(version, order[order.index(step) + 1]))


# The steps


def model_step(request: MemberRequest, version: TemplateVersion) -> HttpResponse:
    error = ""
    if request.method == "POST":
        model = chosen_model(request)
        if model is not None:
            marketplace.choose_model(actor=request.user, version=version, model=model)
            return onward(request, version, Step.MODEL)
        error = "Choose one of your models."
    chosen = id_in(request.POST.get("model")) or version.model_id
    models, found = choices(request, chosen)
    faults = next((one.faults for one in found if one.model.pk == version.model_id), None)
    lacks = marketplace.lacks_of(version=version, faults=faults)
    return page(
        request,
        version,
        Step.MODEL,
        lacks=lacks,
        page_obj=models,
        choices=found,
        chosen=chosen,
        error=error,
    )


def validate_step(request: MemberRequest, version: TemplateVersion) -> HttpResponse:
    """The gate: what stands before it, and a measurement to be started and watched from here."""
    if request.method == "POST":
        if request.POST.get("action") != "validate":
            return onward(request, version, Step.VALIDATE)
        training.validate_model(actor=request.user, model=version.model)
        return redirect(step_url(version, Step.VALIDATE))
    leading = list(version.model.validations.leading())
    newest = max(leading, key=lambda row: row.created_at, default=None)
    is_measuring = newest is not None and not newest.is_over
    lacks = marketplace.lacks_of(version=version)
    return page(
        request,
        version,
        Step.VALIDATE,
        "gate",
        validation=newest,
        measured=next((row for row in leading if row.is_whole), None),
        is_measuring=is_measuring,
        lacks=lacks,
        faults=[lack for lack in lacks if lack.step is Step.VALIDATE],
        room=training.rooms_of(request.user.pk)[training.Load.VALIDATIONS],
        told={"told-draft": f"Measuring: {newest.get_status_display()}." if newest else ""},
    )


def card_step(request: MemberRequest, version: TemplateVersion) -> HttpResponse:
    card = training.card_of(model=version.model)
    form = CardForm(request.POST or None, version=version, card=card)
    is_saved = False
    if request.method == "POST" and form.is_valid() and not is_look(request):
        is_saved = kept(form, lambda: save_card(request, version, form, is_live=is_live(card)))
        if is_saved and "action" in request.POST:
            return onward(request, version, Step.CARD)
    pieces = marketplace.completeness(version=version, card=card, said=form.typed)
    return page(
        request,
        version,
        Step.CARD,
        "live",
        form=form,
        is_saved=is_saved,
        is_live=is_live(card),
        pieces=pieces,
        there=sum(piece.is_there for piece in pieces),
        description=form.typed["description"],
        told={"told-draft": SAVED if is_saved else ""},
    )


def is_live(card: Any) -> bool:
    """Whether others may read this card already: then it is changed by a button alone."""
    return card.licence_fixed_at is not None


def save_card(
    request: MemberRequest, version: TemplateVersion, form: CardForm, *, is_live: bool
) -> None:
    said = dict(form.cleaned_data)
    if is_live and "action" not in request.POST:
        words = {name: said[name] for name in ("name", "summary", "category", "description")}
        marketplace.describe_version(actor=request.user, version=version, **words)
    else:
        marketplace.write_card(actor=request.user, version=version, **said)


def is_look(request: MemberRequest) -> bool:
    return request.POST.get("action") == LOOK


def kept(form: Any, act: Callable[[], object], **renamed: str) -> bool:
    """Whether it could be stored; what stands against it is shown beside its field."""
    try:
        act()
    except Refusal as refusal:
        blame(form, refusal, **renamed)
        return False
    return True


def files_step(request: MemberRequest, version: TemplateVersion) -> HttpResponse:
    model = version.model
    files = training.files_of(model)
    tested = training.tested_questions(model=model, count=EXAMPLES_SHOWN)
    form = FilesForm(
        request.POST or None,
        version=version,
        card=training.card_of(model=model),
        files=files,
        tested=tested,
    )
    is_saved = False
    if request.method == "POST" and form.is_valid():
        is_saved = kept(
            form, lambda: save_files(request, version, form), examples="typed", files="offered"
        )
        if is_saved and (kind := request.POST.get("make")):
            training.export_model(actor=request.user, model=model, kind=kind)
            return redirect(f"{step_url(version, Step.FILES)}#made")
        if is_saved and "action" in request.POST:
            return onward(request, version, Step.FILES)
    chosen = form["offered"].value() or []
    is_exporting = any(one.export is not None and not one.export.is_over for one in files)
    return page(
        request,
        version,
        Step.FILES,
        "made" if request.method == "GET" else "live",
        form=form,
        is_saved=is_saved,
        files=[(file, file.kind in chosen) for file in files],
        is_exporting=is_exporting,
        tested=tested,
        picked=form["rows"].value() or [],
        examples_max=marketplace.EXAMPLES_MAX,
        shape=model.job.dataset.image_shape,
        highest=max((max(row.values) for row in tested), default=1.0),
        told={"told-draft": SAVED if is_saved else ""},
    )


def save_files(request: MemberRequest, version: TemplateVersion, form: FilesForm) -> None:
    said = form.cleaned_data
    marketplace.settle_files(
        actor=request.user,
        version=version,
        licence=said["licence"],
        licence_terms=said["licence_terms"],
        files=said["offered"],
        examples=form.examples,
    )


def price_step(request: MemberRequest, version: TemplateVersion) -> HttpResponse:
    form = PriceForm(request.POST or None, version=version)
    is_saved, calls = False, marketplace.CALLS_SHOWN
    if request.method == "POST" and form.is_valid():
        calls = form.cleaned_data["calls"]
        save = marketplace.price_version
        is_saved = kept(form, lambda: save(actor=request.user, version=version, **form.terms))
        if is_saved and request.POST.get("action") == "next":
            return onward(request, version, Step.PRICE)
        version.refresh_from_db()
    return page(
        request,
        version,
        Step.PRICE,
        "live",
        form=form,
        is_saved=is_saved,
        bill=marketplace.bill_of(version=version, calls=calls),
        is_free=version.plan == Plan.FREE,
        told={"told-draft": SAVED if is_saved else ""},
    )


def submit_step(request: MemberRequest, version: TemplateVersion) -> HttpResponse:
    form = SubmitForm(request.POST or None, version=version)
    is_saved = False
    if request.method == "POST" and form.is_valid():
        is_saved = kept(form, lambda: submit(request, version, form))
        if is_saved and "action" in request.POST:
            messages.success(request, "Sent to review. You are told at each step.")
            return redirect("marketplace:versions", version.template.slug)
    lacks = marketplace.lacks_of(version=version)
    return page(
        request,
        version,
        Step.SUBMIT,
        "live",
        lacks=lacks,
        form=form,
        is_saved=is_saved,
        card=training.card_of(model=version.model),
        measured=version.model.validations.done().first(),
        files=[
            file.label for file in training.files_of(version.model) if file.kind in version.files
        ],
        all_lacks=[(lack, lack.url or step_url(version, lack.step)) for lack in lacks],
        told={"told-draft": SAVED if is_saved else ""},
    )


def submit(request: MemberRequest, version: TemplateVersion, form: SubmitForm) -> None:
    marketplace.schedule_version(
        actor=request.user,
        version=version,
        changelog=form.cleaned_data.get("changelog", version.changelog),
        publishes_at_once=form.cleaned_data["publishes_at_once"],
    )
    if "action" in request.POST:
        marketplace.submit_version(actor=request.user, version=version)


ANSWERS: dict[Step, Callable[[MemberRequest, TemplateVersion], HttpResponse]] = {
    Step.MODEL: model_step,
    Step.VALIDATE: validate_step,
    Step.CARD: card_step,
    Step.FILES: files_step,
    Step.PRICE: price_step,
    Step.SUBMIT: submit_step,
}
