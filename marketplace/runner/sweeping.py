"""Sweeps over what people have, in which nobody's row stops those behind it."""

import uuid
from collections.abc import Callable, Iterable

import structlog
from django.core.cache import cache

log = structlog.get_logger()
REST_SECONDS = 600


def one_by_one(event: str, ids: Iterable[uuid.UUID], act: Callable[[uuid.UUID], None]) -> None:
    """What fails is logged as `event` and rests a while; the others go on."""
    keys = {f"{event}/{id}": id for id in ids}
    resting = cache.get_many(list(keys))
    for key, id in keys.items():
        if key in resting:
            continue
        try:
            act(id)
        except Exception:  # such as a model that cannot be loaded now
            log.exception(event, id=str(id))
            cache.set(key, True, timeout=REST_SECONDS)
