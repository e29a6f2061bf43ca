"""The database and the broker of a bare machine: who starts them, who shares them, where they are.

Their addresses are a pure function of the data folder, so settings need nothing started. Whoever
needs them running says so:

    with embedded.parts(embedded.data_dir()):
        execute_from_command_line(sys.argv)

The first to come starts what does not run; those who come later share it; the first, when it
leaves, waits for them and stops what it started. A part whose environment variable (`DATABASE_URL`,
`CELERY_BROKER_URL`) is set is never started. Call `parts` in the main thread: a server ends with
the thread that started it.

Three locks per part, which the kernel drops when their holder dies: *start* is held while deciding,
starting and stopping; *owner* by the process that started the part, as long as it lives; *users* is
shared by all who use the part.
"""

import fcntl
import hashlib
import os
import re
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from config import servers
from config.servers import EmbeddedError

__all__ = ["EmbeddedError", "Lock", "broker_url", "data_dir", "database_url", "parts", "socket_dir"]

KINDS = (servers.Database, servers.Broker)
SOCKET_PATH_BYTES = 100  # the kernel allows 107
ANSWER_SECONDS = 15.0  # how long a part whose owner lives may be away, as when it is restarted
POLL_SECONDS = 0.1


def data_dir() -> Path:
    """`DATA_DIR`, or `var` in the checkout; absolute."""
    checkout = Path(__file__).resolve().parent.parent
    return Path(os.environ.get("DATA_DIR") or checkout / "var").resolve()


def socket_dir(data_dir: Path) -> Path:
    """Where the sockets are: in the data folder, unless its path is too long or not plain.

    The kernel takes about 100 bytes, and the clients of the two servers differ in how they read
    characters that a URL escapes. Then a folder named by a hash of the data folder serves.
    """
    folder = data_dir.resolve() / "sockets"
    longest = os.fsencode(folder / ".s.PGSQL.5432")
    if len(longest) <= SOCKET_PATH_BYTES and re.fullmatch(r"[\w./-]+", str(folder), re.ASCII):
        return folder
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    # Not tempfile.gettempdir(): all processes must agree, whatever their TMPDIR. The servers refuse
    # a folder that somebody else has put there.
    return Path("/tmp") / f"neural-marketplace-{digest}"  # noqa: S108


def database_url(data_dir: Path) -> str:
    """As libpq and django-environ read it: the folder of a socket is the parameter `host`."""
    host = urlencode({"host": socket_dir(data_dir)}, safe="/")
    return f"postgres://{servers.DATABASE}@/{servers.DATABASE}?{host}"


def broker_url(data_dir: Path) -> str:
    return f"redis+socket://{servers.broker_socket(socket_dir(data_dir))}"


@contextmanager
def parts(
    data_dir: Path,
    *,
    wanted: Collection[str] = ("database", "broker"),
    long_lived: bool = False,
) -> Iterator[list[servers.Server]]:
    """The wanted parts answer inside the block; yields those that this process started.

    A `long_lived` caller, the supervisor, waits until it owns the parts and stops them at once when
    it leaves: nobody's end makes them go, and its own end makes nobody stay. Raises EmbeddedError
    when a part cannot run.
    """
    if unknown := set(wanted) - {kind.name for kind in KINDS}:
        raise ValueError(f"wanted: {sorted(unknown)} are no parts; there are database and broker")
    data_dir = data_dir.resolve()
    started = []
    with ExitStack() as stack:
        for kind in KINDS:
            if kind.name in wanted and not os.environ.get(kind.variable):
                server = _make_server(kind, data_dir)
                if stack.enter_context(_sharing(server, data_dir / "locks", long_lived)):
                    started.append(server)
        yield started


def _make_server(kind: type[servers.Server], data_dir: Path) -> servers.Server:
    server = kind(data_dir, socket_dir(data_dir))
    if sys.platform != "linux":
        raise server.refusal(f"runs on Linux only, and this is {sys.platform}")
    try:
        (data_dir / "locks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise server.refusal(f"cannot keep its data there: {error}; set DATA_DIR") from error
    if (owner := data_dir.stat().st_uid) != os.geteuid():
        raise server.refusal(
            f"belongs to user {owner}, and this is user {os.geteuid()}: run as that user, or set"
            " DATA_DIR to a folder of your own"
        )
    return server


class Lock:
    """A lock on a file, which the kernel drops when its holder dies."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self, *, shared: bool = False, wait: bool = True) -> bool:
        operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.descriptor, operation | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        os.close(self.descriptor)


@contextmanager
def _sharing(server: servers.Server, locks: Path, long_lived: bool) -> Iterator[bool]:
    """The server answers inside the block; yields whether we started it."""
    names = ("start", "owner", "users")
    with ExitStack() as stack:
        # Released in reverse: whoever waits for "start" must then find "owner" free.
        start, owner, users = (
            stack.enter_context(Lock(locks / f"{server.name}.{name}")) for name in names
        )
        is_ours = _join(server, start, owner, long_lived)
        stack.callback(server.stop)
        users.take(shared=True)
        start.release()
        try:
            yield is_ours
        finally:
            users.release()
            if is_ours and not long_lived:
                _wait_for_others(server, start, users)


def _join(server: servers.Server, start: Lock, owner: Lock, long_lived: bool) -> bool:
    """Start the server unless its owner lives. Holds "start" on return."""
    deadline = time.monotonic() + ANSWER_SECONDS
    waiting = False
    start.take()
    while not owner.take(wait=False):
        if not long_lived:
            if server.answers():
                return False
            if time.monotonic() > deadline:
                raise server.refusal(
                    f"belongs to a command that still runs, and has not answered for"
                    f" {ANSWER_SECONDS:.0f} s: end that command; {server.log} may say more"
                )
        elif not waiting:
            waiting = True
            _say(f"Waiting for the command that started the {server.name} to end.")
        start.release()
        time.sleep(POLL_SECONDS)
        start.take()
    server.start()
    return True


def _wait_for_others(server: servers.Server, start: Lock, users: Lock) -> None:
    """Wait until nobody uses the server. Holds "start" on return, so that nobody comes now.

    Others may join while we wait: one of them may be a child of one we wait for.
    """
    said = False
    while True:
        start.take()
        if users.take(wait=False):
            return
        start.release()
        if not said:
            said = True
            _say(f"Waiting for other commands that use the {server.name}; Ctrl-C stops it at once.")
        time.sleep(POLL_SECONDS)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
