"""What one computation may use, and what it is told when it wants more."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Walls of one sandbox. `step_work` bounds the operations of one step, which cannot be stopped
    half-way: 40 thousand million are about a second of matrix products."""

    memory_bytes: int = 128 * 2**20
    deadline_seconds: float = 3_600.0
    step_work: int = 40_000_000_000


class SandboxError(Exception):
    """A computation that was refused or stopped. Its sandbox is gone; the process is unharmed."""


class TapeRefused(SandboxError):
    """A tape that may not be run; the text names the program, the instruction and the operand."""


class OutOfMemory(SandboxError):
    """The computation needs more memory than its limit."""


class DeadlineExceeded(SandboxError):
    """The computation used up its time."""


class Trapped(SandboxError):
    """The module stopped itself: a bad index, an unknown instruction, an exhausted stack."""
