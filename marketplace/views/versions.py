"""The versions of a template side by side, and what its author does with them."""

from collections.abc import Callable

from django.contrib import messages
from django.db.models import Prefetch, prefetch_related_objects
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from governance.services import Refusal
from governance.views import MemberRequest, PageRequest, pressed_on
from marketplace import services as marketplace
from marketplace.models import PeerReview, Template, TemplateVersion
from marketplace.views.found import found_offer


@require_GET
def versions(request: PageRequest, slug: str) -> HttpResponse:
    """All of them for the author; for others those that are, or were, on offer."""
    offer = found_offer(request, slug, with_figures=True)
    template, found, is_owner = offer.template, list(offer.versions), offer.standing.is_owner
    if template.hidden_at is not None and not is_owner:
        return redirect(template)  # which says why it is gone
    if is_owner:
        read_peers(found)
    context = {
        "template": template,
        "is_owner": is_owner,
        "may_run": offer.standing.is_entitled,
        "versions": found,
        "open": next((one for one in found if one.status in TemplateVersion.OPEN), None),
    }
    return render(request, "marketplace/versions.html", context)


def read_peers(versions: list[TemplateVersion]) -> None:
    """What reviewers said, which the author reads once a moderator has decided."""
    decided = [one for one in versions if one.is_decided]
    said = PeerReview.objects.select_related("reviewer", "reproduction")
    prefetch_related_objects(decided, Prefetch("peer_reviews", said, to_attr="peers"))


# What can be done with a version, and what is said once it is done.
ACTS: dict[str, tuple[Callable[..., object], str]] = {
    "recall": (marketplace.recall_version, "a draft again."),
    "publish": (marketplace.publish_version, "published."),
    "revive": (marketplace.revive_version, "offered as before."),
    "deprecate": (marketplace.deprecate_version, "deprecated; who has it was told."),
    "withdraw": (marketplace.withdraw_version, "withdrawn; who has it keeps it, and was told."),
}
WITH_REASON = ("deprecate", "withdraw")


@pressed_on("../../")
def change_version(request: MemberRequest, slug: str, number: int, act: str) -> HttpResponse:
    rows = TemplateVersion.objects.filter(template__owner=request.user, template__slug=slug)
    version = get_object_or_404(rows.select_related("template"), number=number)
    if act not in ACTS:
        raise Http404
    do, said = ACTS[act]
    reason = {"reason": request.POST.get("reason", "")} if act in WITH_REASON else {}
    try:
        do(actor=request.user, version=version, **reason)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Version {number} is {said}")
    return redirect("marketplace:versions", slug)


@pressed_on("../versions/")
def withdraw_template(request: MemberRequest, slug: str) -> HttpResponse:
    template = get_object_or_404(Template.objects.of(request.user), slug=slug)
    try:
        marketplace.withdraw_template(
            actor=request.user, template=template, reason=request.POST.get("reason", "")
        )
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "It is withdrawn; who has it keeps it, and was told.")
    return redirect("marketplace:versions", slug)
