"""Keeping a program running: start it again when it dies, give up when it dies on, end it in order.

running → (dies) → waiting → running …        gives up after five quick deaths in a row,
                                              unless it endures: then it waits longer and longer
running → told to stop → gone
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config import processes


class GaveUp(Exception):
    """A program does not run; the text says why and quotes its log."""


@dataclass(frozen=True)
class Patience:
    """A life shorter than `quick_seconds` is a quick death; after `deaths` of them in a row we give
    up, or keep at it. The wait before a restart starts at `backoff_seconds` and doubles with each,
    up to `backoff_seconds_max`.
    """

    quick_seconds: float = 10.0
    backoff_seconds: float = 0.5
    backoff_seconds_max: float = 60.0
    deaths: int = 5


class Keeper:
    """Keeps one program running. `start` starts it, and is called again after each death.

    `stops` are the signals that ask it to end, each with the seconds it has to take effect; after
    the last it is killed. Without any, somebody else stops it. One that `endures` is never given
    up: what once ran was not set up wrong, and what ails it, such as a full disk, may pass.
    """

    def __init__(
        self,
        *,
        name: str,
        log: Path,
        start: Callable[[], subprocess.Popen[bytes]],
        patience: Patience,
        stops: tuple[tuple[signal.Signals, float], ...] = (),
    ) -> None:
        self.name = name
        self.log = log
        self.start = start
        self.patience = patience
        self.stops = stops
        self.process: subprocess.Popen[bytes] | None = None
        self.began_at = time.monotonic()
        self.restart_at: float | None = None
        self.quick_deaths = 0
        self.endures = False

    def begin(self) -> None:
        self.restart_at = None
        self.began_at = time.monotonic()
        self.process = self.start()

    def look(self) -> None:
        """Notice a death, and start again when the wait is over. GaveUp when it dies on."""
        if self.restart_at is not None:
            if time.monotonic() >= self.restart_at:
                self.begin()
        elif self.process is not None and (code := self.process.poll()) is not None:
            self._bury(self.process.pid, code)

    def stop(self) -> None:
        """End it; returns when it is gone."""
        if not self.stops or self.process is None or self.process.poll() is not None:
            return
        for number, seconds in self.stops:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                say(f"{self.name} still runs {seconds:.0f} s after {number.name}.")
            else:
                break
        processes.send_group(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            processes.send_group(self.process.pid, signal.SIGKILL)

    def _bury(self, pid: int, code: int) -> None:
        # What it started must not work beside its successor.
        processes.send_group(pid, signal.SIGKILL)
        seconds = time.monotonic() - self.began_at
        self.quick_deaths = self.quick_deaths + 1 if seconds < self.patience.quick_seconds else 1
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        if self.quick_deaths % self.patience.deaths == 0:
            report = (
                f"{self.name} {how}, {self.quick_deaths} times in a row. {self.log} ends:\n"
                f"{processes.read_log(self.log)}"
            )
            if not self.endures:
                raise GaveUp(report)
            say(report)
        doubled = self.patience.backoff_seconds * 2.0 ** min(self.quick_deaths - 1, 30)
        wait = min(doubled, self.patience.backoff_seconds_max)
        say(f"{self.name} {how} after {seconds:.0f} s; it starts again in {wait:.1f} s.")
        self.restart_at = time.monotonic() + wait


def say(text: str) -> None:
    """To the person at the terminal. Written at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
