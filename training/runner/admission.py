"""How many calls are answered at a time: one more is turned away at once, before it costs anything.

A queue without an end helps nobody: each call in it waits longer than the one before, until all of
them answer to people who have left. Of one network fewer are let in than of all, so that one that
is slow, or much asked, leaves room for the others.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Full(Exception):
    """No more are let in for now; `most` are in already."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Admission:
    """Lets in at most `most` at a time, and at most `most_of_one` of one name."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self.most = most
        self.most_of_one = most_of_one
        self.inside: Counter[str] = Counter()
        self.lock = threading.Lock()

    @contextmanager
    def enter(self, name: str) -> Iterator[None]:
        """Raises Full."""
        with self.lock:
            if self.inside.total() >= self.most:
                raise Full(self.most)
            if self.inside[name] >= self.most_of_one:
                raise Full(self.most_of_one)
            self.inside[name] += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside[name] -= 1
                if not self.inside[name]:
                    del self.inside[name]  # or every name that was ever let in is remembered
