"""A chart of differences: how far from nothing each of some names is, and how sure that is."""

from collections.abc import Mapping

from django import template
from django.utils.text import slugify

from training.templatetags import scales
from training.templatetags.charts import BAR_PIXELS, Context
from training.templatetags.scales import number

register = template.Library()


@register.inclusion_tag("_differences.html")
def differences(
    values: Mapping[str, tuple[float, float]], title: str, label: str, value_label: str
) -> Context:
    """Draw a bar from the middle for each name: left below nothing, right above; and a whisker of
    so much to each side. `values` maps a name to (difference, whisker), whisker from 0 up.
    """
    for name, (value, spread) in values.items():
        if not (scales.drawable(value) and scales.drawable(spread)) or spread < 0:
            raise ValueError(f"values[{name!r}] is {(value, spread)!r}; both must be finite")
    widest = max((abs(value) + spread for value, spread in values.values()), default=0) or 1.0
    place = {name: 0.5 + value / widest / 2 for name, (value, _) in values.items()}
    return {
        "title": title,
        "id": f"chart-{slugify(title)}",
        "label": label,
        "value_label": value_label,
        "height": len(values) * BAR_PIXELS,
        "rows": [
            {
                "name": name,
                "value": value,
                "spread": spread,
                "text": f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value), 2)}",
                "y": row * BAR_PIXELS,
                "left": min(0.5, place[name]),
                "width": abs(place[name] - 0.5),
                "low": place[name] - spread / widest / 2,
                "high": place[name] + spread / widest / 2,
                "is_lower": value < 0,
            }
            for row, (name, (value, spread)) in enumerate(values.items())
        ],
    }
