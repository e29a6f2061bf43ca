"""What the figures of a validation stand on, in words."""

from collections.abc import Collection, Mapping
from typing import Any

from django import template

from training.models import Validation
from training.runner.copies import acquaintance, is_leak, leaks
from training.templatetags.measured import SHARES, figure_label

register = template.Library()


for said in (acquaintance, is_leak, leaks):
    register.filter(said)


@register.filter
def interval_methods(validation: Validation) -> str:
    """How the intervals of its figures came to be."""
    return methods_of(validation, validation.metrics)


@register.filter
def share_methods(validation: Validation) -> str:
    """The same of those that `share_intervals` draws."""
    return methods_of(validation, SHARES)


def methods_of(validation: Validation, among: Collection[str]) -> str:
    """As the receipt says it: that of most of these, then those of others; nothing where it does
    not say.
    """
    by = validation.receipt.get("intervals")
    names = [n for n, found in validation.metrics.items() if n in among and "low" in found]
    if not by or not names:
        return ""
    # receipts once named accuracy alone, beside the method of the rest
    of_accuracy = {"accuracy": {"method": by["accuracy"]}} if "accuracy" in by else {}
    others: dict[str, list[str]] = {}
    for name, method in by.get("figures", of_accuracy).items():
        if name in names:
            words = named(method, beside=by)
            others.setdefault(words, []).append(figure_label(name).split(",")[0].lower())
            names.remove(name)
    said = [f"{' and '.join(labels)} by {words}" for words, labels in others.items()]
    return "; ".join([f"by {named(by)}", *said] if names else said)


def named(by: Mapping[str, Any], *, beside: Mapping[str, Any] | None = None) -> str:
    """A method with its draws; what it shares with the one `beside` it is not said twice."""
    if "draws" not in by:
        return str(by["method"])
    if beside and all(by[key] == beside.get(key) for key in ("method", "drawn")):
        return f"the same with {by['draws']:,} draws"
    return f"{by['method']}, {by['draws']:,} draws of {by.get('drawn', 'rows')}"
