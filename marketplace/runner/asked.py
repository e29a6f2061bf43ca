"""What answers the rows of a batch, and how many of them a month still includes: as calls have it,
but for one thing. One model answers a whole file, the stable one, whatever share a canary has.
"""

from collections.abc import Sequence

from billing import services as billing
from marketplace.models import Batch, Route
from marketplace.runner.routing import routes_of


def chosen(routes: Sequence[Route], aggregation: str) -> tuple[Route, ...]:
    """All, where their answers are merged, else the stable one."""
    return tuple(route for route in routes if aggregation or route.role == Route.Role.STABLE)


def routes_asked(batch: Batch) -> tuple[Route, ...]:
    return chosen(routes_of(batch.route_set_id), batch.aggregation)


def allowance_of(routes: Sequence[Route]) -> str:
    return f"template/{routes[0].version.template_id}"


def included_rows(batch: Batch, routes: Sequence[Route]) -> int:
    """Of a month: none of one's own template, and none of several versions."""
    version = routes[0].version
    is_own = version.template.owner_id == batch.owner_id
    return 0 if is_own or len(routes) > 1 else version.monthly_calls


def included_left(batch: Batch, routes: Sequence[Route]) -> int:
    most = included_rows(batch, routes)
    if not most:
        return 0
    used = billing.used_this_month(user=batch.owner, allowance=allowance_of(routes))
    return max(0, most - used)
