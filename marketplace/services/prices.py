"""What a version costs a buyer who uses it so much, and what its author gets of that."""

from dataclasses import dataclass

from billing import services as billing
from marketplace.models import TemplateVersion
from training.services import COMPUTE_PRICE_MICROCREDITS

CALLS_SHOWN = 1_000  # a month, where nobody says another number


@dataclass(frozen=True, kw_only=True)
class Bill:
    """All in micro-credits. What an author does not ask for is the price of the compute, which is
    the platform's.
    """

    calls: int
    charged_calls: int  # beyond those that are included each month
    call: int
    once: int
    monthly: int
    author_once: int
    author_monthly: int

    @property
    def first_month(self) -> int:
        return self.once + self.monthly

    @property
    def year(self) -> int:
        return self.once + 12 * self.monthly

    @property
    def author_year(self) -> int:
        """Of the sums, as the split follows them (`billing.runner.splits`)."""
        return billing.author_share(self.once) + (
            billing.author_share(12 * self.monthly) if self.author_monthly else 0
        )

    @property
    def platform_year(self) -> int:
        return self.year - self.author_year

    @property
    def compute_call(self) -> int:
        return COMPUTE_PRICE_MICROCREDITS


def bill_of(*, version: TemplateVersion, calls: int = CALLS_SHOWN) -> Bill:
    """For so many predictions a month. The version need not be stored as it is."""
    charged = max(calls - version.monthly_calls, 0)
    monthly = charged * version.charged_microcredits
    asks = bool(version.call_price_microcredits)
    return Bill(
        calls=calls,
        charged_calls=charged,
        call=version.charged_microcredits,
        once=version.price_microcredits,
        monthly=monthly,
        author_once=billing.author_share(version.price_microcredits),
        author_monthly=billing.author_share(monthly) if asks else 0,
    )
