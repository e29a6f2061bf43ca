"""Authors' Markdown as safe HTML: CommonMark, then an allow-list of tags."""

from functools import lru_cache

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

register = template.Library()
TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
READER = MarkdownIt("commonmark", {"html": False}).enable("table")
PAGES_KEPT = 256


# Kept by its text: a hostile page may take half a second to read, and everybody who looks at it
# would pay that again. How long a text may be is held where texts are stored.
@lru_cache(maxsize=PAGES_KEPT)
def rendered(text: str) -> str:
    """Safe HTML; a first-level heading becomes a second, since the page has its own."""
    html = READER.render(text).replace("<h1>", "<h2>").replace("</h1>", "</h2>")
    clean = nh3.clean(html, tags=TAGS, link_rel="nofollow noopener ugc")
    # Where a table is wider than the page it scrolls, and so must be reached by the keyboard.
    return clean.replace("<table>", '<table tabindex="0">')


@register.filter
def markdown(text: str) -> SafeString:
    return mark_safe(rendered(text))  # noqa: S308  # cleaned
