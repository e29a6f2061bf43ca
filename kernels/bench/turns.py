"""How contestants are timed: in turns, on one thread, medians (of short turns: minima) compared.

A machine that slows down for a while slows all of them, so ratios within one run hold where times
do not. What is counted is the processor time of this process, since others at work on the machine
would show in the time that passes; all contestants compute in it, on one thread.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

ROUNDS = 9
TURN_SECONDS = 0.02  # long enough to be back in the caches that the others emptied

Turn = Callable[[], float]  # takes a turn, answers the seconds of one unit of its work


def in_turns(
    contestants: Mapping[str, Turn],
    rounds: int = ROUNDS,
    pick: Callable[[Sequence[float]], float] = statistics.median,
) -> dict[str, float]:
    """The median seconds of each, over rounds in which each has its turn. The first is warm-up."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            seconds = contestant()
            if turn:
                times[name].append(seconds)
    return {name: pick(found) for name, found in times.items()}


def repeated(work: Callable[[int], None], turn_seconds: float = TURN_SECONDS) -> Turn:
    """A turn of about `turn_seconds` from `work(repeats)`; it finds out how many that is."""
    repeats = 1
    while (seconds := timed(work, repeats)) < turn_seconds / 2 and repeats < 2**20:
        repeats *= 2 if seconds > turn_seconds / 64 else 16
    return lambda: timed(work, repeats) / repeats


def timed(work: Callable[[int], None], repeats: int) -> float:
    begin = time.process_time()
    work(repeats)
    return time.process_time() - begin
