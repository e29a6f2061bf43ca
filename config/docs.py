"""The documentation at /docs/: Markdown beside the templates, read as pages of the site.

A file is a template first, so that prices, codes and operations stand in it as the code has them,
and then Markdown. Its blocks of code are told apart here, since they are more than text: the tests
run those of a tutorial one after the other and compare what they print with what the page says.

A block's first line names its language and may name a file, which it is then the content of; what
follows as `output` is what it prints, with … for what differs each time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import Context, engines
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from billing import services as billing
from billing.models import WELCOME_MICROCREDITS
from config import problems, reference
from marketplace.templatetags.markdown import READER
from training import services as training

GROUPS = {
    "Begin": ("getting-started",),
    "Tutorials": ("train", "publish", "deploy", "clusters"),
    "Reference": ("api", "sdk", "mcp", "troubleshooting"),
    "Good practice": ("training", "performance", "publishing", "economics"),
}
ORDER = [slug for slugs in GROUPS.values() for slug in slugs]
LABELS = {
    "bash": "Terminal",
    "javascript": "JavaScript",
    "json": "JSON",
    "output": "It prints",
    "python": "Python",
}
FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$|^(##+) ([^\n]+)$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Prose in Markdown; a block of code, where `language` is set; or a heading of some level."""

    text: str
    language: str = ""
    file: str = ""
    level: int = 0

    @property
    def label(self) -> str:
        return self.file or LABELS.get(self.language, self.language)

    @property
    def anchor(self) -> str:
        return slugify(self.text)

    @property
    def inline(self) -> SafeString:
        """A heading's own Markdown, such as code; raw HTML in it is text."""
        return mark_safe(str(READER.renderInline(self.text)))  # noqa: S308  # `html` is off


@dataclass(frozen=True, kw_only=True)
class Page:
    slug: str
    title: str
    summary: str
    parts: list[Part]

    @property
    def headings(self) -> list[Part]:
        return [part for part in self.parts if part.level == 2]


@cache
def read(slug: str) -> Page:
    """A page as it stands in the file, with all that is filled in."""
    values = FILLED[slug]() if slug in FILLED else {}
    template = engines["django"].engine.get_template(f"docs/{slug}.md")  # type: ignore[attr-defined]
    context = Context(values | {"site": settings.SITE_URL}, autoescape=False)
    text = template.render(context)
    front = FRONT.match(text)
    assert front is not None, f"docs/{slug}.md opens with its title and summary"
    said = dict(line.split(": ", 1) for line in front[1].splitlines())
    return Page(
        slug=slug, title=said["title"], summary=said["summary"], parts=parts(text[front.end() :])
    )


def parts(text: str) -> list[Part]:
    found, end = [], 0
    for block in BLOCK.finditer(text):
        found.append(Part(text=text[end : block.start()]))
        language, file, code, hashes, heading = block.groups()
        if heading:
            found.append(Part(text=heading, level=len(hashes)))
        else:
            found.append(Part(text=code.rstrip("\n"), language=language, file=file or ""))
        end = block.end()
    found.append(Part(text=text[end:]))
    return [part for part in found if part.text.strip()]


# What is filled in


def economics() -> dict[str, Any]:
    """Prices as they are charged, and the split worked through by the ledger's own arithmetic."""
    price = 15_000_000
    cents, rows = 1, []
    for paid in range(1, 8):
        share = billing.author_share(paid * cents)
        before = billing.author_share((paid - 1) * cents)
        rows.append((paid, share - before, share, paid * cents - share))
    return {
        "tiers": [(tier.label, limits) for tier, limits in training.TIERS.items()],
        "welcome": billing.credits(WELCOME_MICROCREDITS),
        "call": billing.credits(training.COMPUTE_PRICE_MICROCREDITS),
        "price": billing.credits(price),
        "author": billing.credits(billing.author_share(price)),
        "platform": billing.credits(price - billing.author_share(price)),
        "micro": rows,
    }


def codes() -> dict[str, Any]:
    """Every code of the one table, with its status and what it means in a line."""
    return {"codes": problems.problems().values()}


FILLED: dict[str, Callable[[], dict[str, Any]]] = {
    "api": lambda: {"groups": reference.groups()},
    "economics": economics,
    "troubleshooting": codes,
}


# Pages


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    groups = [(name, [read(slug) for slug in slugs]) for name, slugs in GROUPS.items()]
    return render(request, "docs/index.html", {"groups": groups})


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    if slug not in ORDER:
        raise Http404
    place = ORDER.index(slug)
    context = {
        "page": read(slug),
        "groups": [(name, [read(each) for each in slugs]) for name, slugs in GROUPS.items()],
        "previous": read(ORDER[place - 1]) if place else None,
        "next": read(ORDER[place + 1]) if place + 1 < len(ORDER) else None,
    }
    return render(request, "docs/page.html", context)
