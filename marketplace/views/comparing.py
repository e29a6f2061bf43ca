"""Templates beside each other: a comparison, leaderboards, and all that one author offers."""

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from governance.views import PageRequest, visitor
from marketplace import services as marketplace
from marketplace.models import Template
from training.models import Dataset

ASKED_MAX = 20


@require_GET
def compare(request: PageRequest) -> HttpResponse:
    """Up to four by name or address, `?t=one&t=two`, in that order; unknown ones are said."""
    asked = list(dict.fromkeys(request.GET.getlist("t")))[:ASKED_MAX]
    rows = Template.objects.visible_to(visitor(request)).filter(
        Q(slug__in=asked) | Q(name__in=asked)
    )
    found: dict[str, Template] = {}
    for template in rows.with_current()[: 2 * ASKED_MAX]:
        found[template.slug] = template
        found.setdefault(template.name, template)
    templates = list({found[word].pk: found[word] for word in asked if word in found}.values())
    comparison = marketplace.compare_templates(templates=templates) if templates else None
    context = {
        "comparison": comparison,
        "missing": [word for word in asked if word not in found],
        "is_full": len(templates) >= marketplace.TEMPLATES_MAX,
    }
    return render(request, "marketplace/compare.html", context)


@require_GET
def leaderboards(request: PageRequest) -> HttpResponse:
    boards = marketplace.leaderboard_datasets(viewer=visitor(request))
    return render(request, "marketplace/leaderboards.html", {"boards": boards})


@require_GET
def leaderboard(request: PageRequest, slug: str) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.visible_to(visitor(request)), slug=slug)
    board = marketplace.leaderboard_of(dataset=dataset)
    return render(request, "marketplace/leaderboard.html", {"board": board})


@require_GET
def author(request: PageRequest, username: str) -> HttpResponse:
    found = marketplace.find_author(username=username)
    if found is None:
        raise Http404("Nobody of this name offers anything.")
    return render(request, "marketplace/author.html", {"author": found})
