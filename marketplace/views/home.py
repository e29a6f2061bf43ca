"""The first page."""

from django.db.models import Exists
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from governance.models import User
from governance.views import PageRequest, visitor
from marketplace import services as marketplace

EXAMPLES = (
    ("free", "price:0"),
    ("under a millisecond", "latency<1"),
    ("right 95 times of 100", "accuracy>0.95"),
    ("for commercial use", "commercial:yes"),
)


@require_GET
def home(request: PageRequest) -> HttpResponse:
    context = {
        "front": marketplace.storefront(),
        "examples": EXAMPLES,
        "steps": path_steps(visitor(request)),
        "used_order": marketplace.ORDERS["downloads"],
    }
    return render(request, "marketplace/home.html", context)


def path_steps(user: User | None) -> list[dict[str, str]]:
    """The five steps of the platform, with how far this person has come."""
    done = (False,) * 5
    if user is not None:
        done = User.objects.values_list(
            Exists(user.models.all()),
            Exists(user.models.filter(validations__status="done")),
            Exists(user.templates.all()),
            Exists(user.templates.filter(purchases__isnull=False)),
            Exists(user.deployments.all()),
        ).get(pk=user.pk)
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
