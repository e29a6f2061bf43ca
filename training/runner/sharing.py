"""One sandbox for all who call at the same time: what waits for it is computed together.

A sandbox is one memory, so it computes one thing at a time. Who calls while it is idle computes at
once and waits for nothing. Who calls meanwhile waits, and the next round computes the rows of all
who wait: a large network then reads its weights once for all of them. A row's answer has the same
bits whatever rows it comes with (`kernels.predictor`).

It needs no thread: who computes does so for the others, too, until its own rows are answered, and
then leaves it to who has waited longest. Rows that do not fit into a round go to the end of the
line, so that nobody waits for all the rows of another.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.limits import SandboxError

Rows = NDArray[Any]
Outputs = dict[str, NDArray[np.float32]]


class TooLate(Exception):
    """A call's time was over before its rows were answered."""


@dataclass(eq=False)
class Call:
    """The rows of one caller. `woken` is set when it is over, and when it is its turn to compute.

    What is written here is written under the lock of its `Shared`.
    """

    rows: Rows
    until_seconds: float
    parts: list[Outputs] = field(default_factory=list)
    taken: int = 0
    is_over: bool = False
    is_given_up: bool = False
    fault: str = ""
    woken: threading.Event = field(default_factory=threading.Event)

    @property
    def outputs(self) -> Outputs:
        first, *others = self.parts
        if not others:
            return first
        return {name: np.concatenate([part[name] for part in self.parts]) for name in first}


@dataclass(frozen=True)
class Part:
    """Rows of a call that one round computes."""

    call: Call
    rows: Rows


class Shared:
    """`compute` answers rows (n, ...) with outputs by name, each of as many equal blocks as there
    are rows; it is called by one at a time, with at most `rows_max`.
    """

    def __init__(self, compute: Callable[[Rows], Outputs], rows_max: int) -> None:
        self.compute = compute
        self.rows_max = rows_max
        self.lock = threading.Lock()
        self.waiting: deque[Call] = deque()
        self.leader: Call | None = None  # who computes, or was woken to do so

    def outputs(self, rows: Rows, until_seconds: float) -> Outputs:
        """What `compute` answers to these rows, by that moment of the monotonic clock.

        Raises TooLate, and SandboxError where `compute` does.
        """
        call = Call(rows, until_seconds)
        with self.lock:
            self.waiting.append(call)
            leads = self.leader is None
            if leads:
                self.leader = call
        if not leads and not call.woken.wait(max(0.0, until_seconds - time.monotonic())):
            self._give_up(call)
        if not call.is_over:
            self._lead(call)
        if call.fault:
            raise SandboxError(call.fault)
        return call.outputs

    def _give_up(self, call: Call) -> None:
        """Raises TooLate, unless it was answered or came to its turn in this very moment."""
        with self.lock:
            if call.is_over or self.leader is call:
                return
            call.is_given_up = True
            if call in self.waiting:
                self.waiting.remove(call)
        raise TooLate

    def _lead(self, call: Call) -> None:
        """Compute rounds until this call is over, then wake who has waited longest."""
        try:
            while not call.is_over:
                if time.monotonic() > call.until_seconds:
                    raise TooLate
                self._round()
        finally:
            with self.lock:
                if call in self.waiting:
                    self.waiting.remove(call)
                self.leader = self.waiting[0] if self.waiting else None
                if self.leader is not None:
                    self.leader.woken.set()

    def _round(self) -> None:
        with self.lock:
            parts = self._take()
        found: Outputs | None = None
        fault = "the call that computed for others, too, was interrupted"
        try:
            rows = [part.rows for part in parts]
            found = self.compute(rows[0] if len(rows) == 1 else np.concatenate(rows))
        except SandboxError as error:
            fault = str(error)
        finally:
            with self.lock:
                for part, answer in zip(parts, divided(found, parts), strict=True):
                    self._answer(part.call, answer, fault)

    def _take(self) -> list[Part]:
        """Of those who wait, the longest first, as many rows as fit into a round."""
        parts: list[Part] = []
        room = self.rows_max
        while self.waiting and (room > 0 or not parts):
            call = self.waiting.popleft()
            rows = call.rows[call.taken : call.taken + room]
            call.taken += len(rows)
            room -= len(rows)
            parts.append(Part(call, rows))
        return parts

    def _answer(self, call: Call, answer: Outputs | None, fault: str) -> None:
        if answer is None:
            call.fault = fault
        else:
            call.parts.append(answer)
        if call.fault or call.taken == len(call.rows):
            call.is_over = True
            call.woken.set()
        elif not call.is_given_up:
            self.waiting.append(call)


def divided(found: Outputs | None, parts: Sequence[Part]) -> list[Outputs | None]:
    """The outputs of each part, or of none."""
    if found is None or len(parts) == 1:
        return [found] * len(parts)
    ends = np.cumsum([len(part.rows) for part in parts])
    total = int(ends[-1])
    return [
        {
            name: array[len(array) // total * (end - len(part.rows)) : len(array) // total * end]
            for name, array in found.items()
        }
        for part, end in zip(parts, ends.tolist(), strict=True)
    ]
