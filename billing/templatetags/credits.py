"""Micro-credits as people read them."""

from django import template

from billing import services as billing

register = template.Library()


@register.filter
def credits(microcredits: int) -> str:
    return billing.credits(microcredits)
