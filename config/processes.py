"""Processes of ours: how they start, where they write, and which of them are still there."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

CHILD = Path(__file__).with_name("child.py")
LOG_BYTES = 10_000_000


def spawn(
    command: list[str],
    *,
    folder: Path,
    output: IO[bytes] | int,
    death_signal: signal.Signals,
    errors: IO[bytes] | int = subprocess.STDOUT,
    identity: str = "same",
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in `folder` as our direct child; errors go where the output goes.

    `death_signal` is what it gets when this thread dies, however that happens; `identity` is as in
    `config/child.py`. It is a session of its own, so that Ctrl-C in a terminal reaches only us and
    we end our children in order.
    """
    launcher = [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), str(int(death_signal))]
    return subprocess.Popen(  # noqa: S603  # the commands are our own
        [*launcher, identity, str(folder), *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
        env=environment,
    )


def open_log(path: Path) -> IO[bytes]:
    """The log, at its end. One that has grown long moves to `<name>.1` first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.rename(path.with_name(f"{path.name}.1"))
    # Only ours to read: a server quotes the statements it refuses.
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def read_log(path: Path, began: int = 0, most: int = 2000) -> str:
    """At most the last `most` bytes of what was written after offset `began`."""
    with path.open("rb") as log:
        end = log.seek(0, os.SEEK_END)
        log.seek(max(began, end - most))
        return log.read().decode(errors="replace").strip()


def working_in(folder: Path, program: str) -> list[int]:
    """The living processes of a program whose working directory is `folder`, and that we may see.

    A pid file cannot tell this: its number may belong to somebody else by now.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _link(entry / "cwd") == str(folder):
            # A program that was reinstalled meanwhile shows up as deleted.
            executable = _link(entry / "exe").removesuffix(" (deleted)")
            if Path(executable).name == program:
                found.append(int(entry.name))
    return found


def title(pid: int) -> str:
    """What the process calls itself; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def send_group(pid: int, number: signal.Signals) -> None:
    """Signal all that `spawn` started with this process and that is left of it."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""  # it ended meanwhile, is a zombie, or is another user's
