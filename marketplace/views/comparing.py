"""Templates beside each other: a comparison, leaderboards, and all that one author offers."""

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from governance.views import PageRequest, visitor
from marketplace import services as marketplace
from marketplace.models import Template
from training.models import Dataset

ASKED_MAX = 20
PAGE_SIZE = 24


@require_GET
def compare(request: PageRequest) -> HttpResponse:
    """Up to four by address or name, `?t=one&t=two`, in that order; unknown ones are said. Of
    several of one name it is the newest.
    """
    asked = list(dict.fromkeys(request.GET.getlist("t")))[:ASKED_MAX]
    rows = Template.objects.visible_to(visitor(request)).with_current()
    found = {template.slug: template for template in rows.filter(slug__in=asked)}
    named = rows.filter(name__in=[word for word in asked if word not in found])
    for template in named.order_by("name", "-published_at", "pk").distinct("name"):
        found[template.name] = template
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
    page = Paginator(boards, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "marketplace/leaderboards.html", {"page_obj": page})


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
    page = Paginator(found.templates, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "marketplace/author.html", {"author": found, "page_obj": page})
