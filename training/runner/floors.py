"""What is asked of a figure of quality: of a model for its certificate, of a preset before it is
offered as an example.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What the figure `metric` must reach, or an error stay below, and why just that.

    `value` is a number by itself, or so many times the figure's own baseline: a perplexity means
    nothing without that of counting the same tokens.
    """

    metric: str
    value: float
    reason: str = ""
    lower_is_better: bool = False
    is_of_baseline: bool = False

    def asked(self, figure: Mapping[str, Any]) -> float:
        """In the figure's own unit; `figure` as it is stored."""
        return self.value * float(figure["baseline"]) if self.is_of_baseline else self.value

    def is_reached(self, figure: Mapping[str, Any]) -> bool:
        value, asked = float(figure["value"]), self.asked(figure)
        return value < asked if self.lower_is_better else value >= asked

    def share(self, figure: Mapping[str, Any]) -> float:
        """0 and up; 1 where the figure is what is asked."""
        value, asked = float(figure["value"]), self.asked(figure)
        if not self.lower_is_better:
            return max(0.0, value / asked)
        return asked / value if value > 0 else float("inf")
