"""Quotas: so many calls in so many seconds, by caller and kind of call.

Each process counts by itself and tells the database only after every fiftieth of a quota, and
learns then what the others counted. So a call costs a look into a dictionary and no statement, and
with n processes no caller gets more than n - 1 fiftieths beyond the quota. A quota is for fairness
between callers; what protects the machine is the bounded line of requests.

A window begins with its first call and ends after `QUOTA_SECONDS`: whoever waits until then has the
whole quota again.

Why not a library: those count in Redis, which need not be there (the broker may be another), or in
one process.
"""

import ipaddress
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from governance.models import User
from governance.services.refusals import Refusal

SHARES = 50
WINDOWS_MAX = 100_000  # of callers that one process remembers
IS_OPEN = "kept.began_at > now() - %(seconds)s * interval '1 second'"
COUNT = f"""
    INSERT INTO governance_quota AS kept (policy, caller, calls)
    VALUES (%(policy)s, %(caller)s, %(calls)s)
    ON CONFLICT (policy, caller) DO UPDATE SET
        calls = EXCLUDED.calls + CASE WHEN {IS_OPEN} THEN kept.calls ELSE 0 END,
        began_at = CASE WHEN {IS_OPEN} THEN kept.began_at ELSE now() END
    RETURNING calls, extract(epoch FROM began_at - now()) + %(seconds)s
"""  # noqa: S608  # nothing of it is anybody's


class QuotaExceeded(Refusal):
    """So many calls in so little time that others would have to wait. `RateLimit` tells what is
    left of a quota, and `Retry-After` when the whole of it is there again.
    """

    status = 429


@dataclass(kw_only=True)
class Window:
    ends: float  # of time.monotonic()
    calls: int = 0  # as far as this process knows
    untold: int = 0  # of them, those that the database does not know


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is left of a quota."""

    policy: str
    quota: int
    seconds: int
    left: int
    seconds_left: int

    @property
    def headers(self) -> dict[str, str]:
        """As the IETF's draft writes them."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={self.seconds}',
            "RateLimit": f'"{self.policy}";r={max(self.left, 0)};t={self.seconds_left}',
        }


windows: dict[tuple[str, str], Window] = {}
lock = threading.Lock()


def caller_of(user: User | None, address: str) -> str:
    """Under which name calls are counted. Of IPv6 whoever has one address has the 2^64 that begin
    alike, so those count as one.
    """
    if user is not None:
        return f"user {user.pk}"
    try:
        numeric = ipaddress.ip_address(address)
    except ValueError:  # of a socket in the file system, which has none
        return f"address {address}"
    if isinstance(numeric, ipaddress.IPv6Address):
        numeric = numeric.ipv4_mapped or ipaddress.IPv6Address(int(numeric) >> 64 << 64)
    return f"address {numeric}"


def take_quota(*, policy: str, caller: str, is_member: bool) -> Standing | None:
    """Count one call; where nothing is left, the standing has a negative `left`. None where such
    calls are not counted.
    """
    quota = settings.QUOTAS.get(policy, {}).get("member" if is_member else "anonymous", 0)
    if not quota:
        return None
    now = time.monotonic()
    with lock:
        window = window_of(policy, caller, now)
        if window.calls < quota:
            window.calls += 1
            window.untold += 1
            left = quota - window.calls
        else:
            left = -1  # which costs no more than this look
        untold = window.untold if window.untold >= max(1, quota // SHARES) else 0
        window.untold -= untold
    if untold:
        tell_calls(window, policy, caller, untold)
        left = min(left, max(quota - window.calls, 0))
    return Standing(
        policy=policy,
        quota=quota,
        seconds=settings.QUOTA_SECONDS,
        left=left,
        seconds_left=min(max(1, round(window.ends - now)), settings.QUOTA_SECONDS),
    )


def window_of(policy: str, caller: str, now: float) -> Window:
    window = windows.get((policy, caller))
    if window is None or window.ends <= now:
        if len(windows) >= WINDOWS_MAX:
            windows.clear()  # a crowd so large is rare, and what it forgets is a fiftieth each
        window = windows[policy, caller] = Window(ends=now + settings.QUOTA_SECONDS)
    return window


def tell_calls(window: Window, policy: str, caller: str, calls: int) -> None:
    """Add what was counted here, and learn what was counted everywhere."""
    told: dict[str, str | int] = {
        "policy": policy,
        "caller": caller,
        "calls": calls,
        "seconds": settings.QUOTA_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT, told)
        total, seconds_left = cursor.fetchone()
    with lock:
        window.calls = max(window.calls, total + window.untold)
        window.ends = time.monotonic() + float(seconds_left)


def exceeded(standing: Standing) -> QuotaExceeded:
    return QuotaExceeded(
        f"More than {standing.quota:,} calls in {standing.seconds} seconds; the next are answered "
        f"in {standing.seconds_left} seconds.",
        retry_seconds=standing.seconds_left,
        members={"violated-policies": [standing.policy]},
    )
