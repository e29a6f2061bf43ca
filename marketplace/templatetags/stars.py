"""Stars of a rating, as signs and in words."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.filter
def stars(rating: float | None) -> SafeString:
    """Whole stars, rounded; the words keep the decimal."""
    if rating is None:
        return mark_safe('<span class="soft">not rated yet</span>')
    full = round(rating)
    return format_html(
        '<span class="stars" role="img" aria-label="{} of 5 stars">{}<i>{}</i></span>',
        f"{rating:g}",
        "★" * full,
        "★" * (5 - full),
    )
