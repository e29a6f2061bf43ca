"""The first page."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from governance.models import User
from governance.views import PageRequest, visitor
from marketplace.models import Template

FEATURED = 6


@require_GET
def home(request: PageRequest) -> HttpResponse:
    featured = list(Template.objects.public().with_current()[:FEATURED])
    context: dict[str, Any] = {
        "featured": featured,
        "templates_total": Template.objects.public().count(),
        "steps": path_steps(visitor(request)),
    }
    if featured:
        version = featured[0].shown
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
