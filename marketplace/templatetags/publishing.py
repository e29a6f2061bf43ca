"""Questions to a model, as a line of text."""

import json
from typing import Any

from django import template

register = template.Library()
LETTERS_SHOWN = 200


@register.filter
def as_text(question: Any) -> str:
    """As people read it, and no longer than a line."""
    if isinstance(question, dict):
        said = ", ".join(f"{name} {told(value)}" for name, value in question.items())
    else:
        said = told(question)
    return said if len(said) <= LETTERS_SHOWN else f"{said[:LETTERS_SHOWN]}…"


def told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
