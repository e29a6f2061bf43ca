"""The one process of `make run`: the whole site as its direct children, until Ctrl-C.

    starting → preparing → running → stopping → gone

It starts the embedded parts, prepares the database, starts web, worker and beat, says where the
site is, restarts what dies and, on Ctrl-C or SIGTERM, stops everything in order: first the worker,
which may finish its chunk, then the rest, the database last. A second Ctrl-C kills. However it ends
itself, the kernel ends its children (`config/child.py`). What keeps dying ends a site that was not
ready yet; later the rest of the site goes on, and it is tried again at longer and longer intervals.

Each child writes to `log/<name>.log` in the data folder; the terminal has only what a person needs.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.parse import urlsplit

from config import child, daemons, embedded, processes
from config.daemons import say

CHECKOUT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8000
PORTS_TRIED = 100
POLL_SECONDS = 0.1
READY_SECONDS = 60.0
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Step:
    """A command that must succeed before the services start; `shown` repeats what it prints."""

    name: str
    command: tuple[str, ...]
    shown: bool = False


@dataclass(frozen=True)
class Service:
    """A command that runs as long as the site; `stops` is as in `daemons.Keeper`."""

    name: str
    command: tuple[str, ...]
    stops: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 5.0),)


@dataclass(frozen=True)
class Site:
    """The steps run one after another, then the services start; those stop in the same order.

    `is_ready` is asked until it says yes.
    """

    data_dir: Path
    address: str
    steps: tuple[Step, ...]
    services: tuple[Service, ...]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str]
    patience: daemons.Patience = daemons.Patience()


def run(data_dir: Path, site: Callable[[], Site]) -> int:
    """Run a site until told to stop, unless one runs already; the exit code."""
    path = data_dir / "locks" / "site"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = embedded.Lock(path)
    except OSError as error:
        say(f"The site cannot keep its data: {error}. Set DATA_DIR to a folder of your own.")
        return 1
    with lock:
        if not lock.take(wait=False):
            say(f"The site already runs at {path.read_text()}. Stop it there first.")
            return 1
        try:
            plan = site()
        except daemons.GaveUp as error:
            say(str(error))
            return 1
        path.write_text(f"{plan.address} as process {os.getpid()}")
        return Supervisor(plan).run()


class Interrupted(Exception):
    """Told to stop before the site was ready."""


class Supervisor:
    """Runs one site, once. Belongs in the main thread, which gets the signals."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.keepers: list[daemons.Keeper] = []
        self.step: subprocess.Popen[bytes] | None = None
        self.signals = 0
        self.asked_to_stop = threading.Event()

    def run(self) -> int:
        """The exit code: 0 after an orderly stop, 1 when it gave up, 130 when it was told twice."""
        # What a dead child leaves behind becomes ours to reap, and not a zombie of process 1.
        child.call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        try:
            began_at = time.monotonic()
            with embedded.parts(self.site.data_dir, long_lived=True) as started:
                for server in started:
                    self._keep(server.name, server.start).process = server.process
                    say_done(server.name, began_at)
                self._serve()
        except (daemons.GaveUp, embedded.EmbeddedError) as error:
            say(f"\nThe site does not run: {error}")
            return 1
        finally:
            deadline = time.monotonic() + 1.0
            while self._reap() and time.monotonic() < deadline:
                time.sleep(0.01)
        say("Stopped.")
        return 0 if self.signals < 2 else 130

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1
        self.asked_to_stop.set()
        if self.signals > 1:
            if self.step is not None:
                self.step.kill()
            for keeper in self.keepers:
                keeper.kill()

    def _serve(self) -> None:
        try:
            shown = [self._take(step) for step in self.site.steps]
            began_at = time.monotonic()
            for service in self.site.services:
                start = partial(self._spawn_service, service)
                self._keep(service.name, start, service.stops).begin()
            self._wait_until_ready()
            for keeper in self.keepers:
                keeper.endures = True
            say_done("services", began_at)
            say("\n".join(["", *filter(None, shown), f"Logs: {self._log('').parent}"]))
            say(f"Neural Marketplace: {self.site.address}  (Ctrl-C stops it)")
            while not self.asked_to_stop.wait(POLL_SECONDS):
                self._look()
        except Interrupted:
            return
        finally:
            say("\nStopping.")
            for keeper in self.keepers:
                keeper.stop()

    def _take(self, step: Step) -> str:
        """What the step printed, if that is to be shown. GaveUp when it fails."""
        began_at = time.monotonic()
        path = self._log(step.name)
        with processes.open_log(path) as log:
            log_began = log.tell()
            self.step = self._spawn(step.command, subprocess.PIPE, log)
            printed = self._finish(self.step)
            log.write(printed)
        if (code := self.step.returncode) != 0:
            said = processes.read_log(path, log_began)
            raise daemons.GaveUp(f"{step.name} ended with {code}. {path} ends:\n{said}")
        self.step = None
        say_done(step.name, began_at)
        return printed.decode(errors="replace") if step.shown else ""

    def _finish(self, process: subprocess.Popen[bytes]) -> bytes:
        """Everything it prints until it ends. Interrupted, and it is ended, when told to stop."""
        while True:
            try:
                return process.communicate(timeout=POLL_SECONDS)[0]
            except subprocess.TimeoutExpired:
                if self.asked_to_stop.is_set():
                    process.terminate()
                    process.communicate()
                    raise Interrupted from None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.site.is_ready():
            if self.asked_to_stop.wait(POLL_SECONDS):
                raise Interrupted
            self._look()
            if time.monotonic() > deadline:
                said = "\n".join(
                    f"{keeper.log} ends:\n{processes.read_log(keeper.log)}"
                    for keeper in self.keepers
                    if keeper.stops
                )
                raise daemons.GaveUp(f"not ready after {READY_SECONDS:.0f} s.\n{said}")

    def _look(self) -> None:
        for keeper in self.keepers:
            keeper.look()
        self._reap()

    def _reap(self) -> bool:
        """Take leave of the dead that are ours by adoption, as each Popen does for its own.

        False when there are no children left, dead or alive.
        """
        ours = {keeper.process.pid for keeper in self.keepers if keeper.process is not None}
        try:
            while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if dead.si_pid in ours:
                    break
                os.waitpid(dead.si_pid, 0)
        except ChildProcessError:
            return False
        return True

    def _keep(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        stops: tuple[tuple[signal.Signals, float], ...] = (),
    ) -> daemons.Keeper:
        keeper = daemons.Keeper(
            name=name,
            log=self._log(name),
            start=start,
            patience=self.site.patience,
            stops=stops,
        )
        self.keepers.append(keeper)
        return keeper

    def _spawn_service(self, service: Service) -> subprocess.Popen[bytes]:
        with processes.open_log(self._log(service.name)) as log:
            return self._spawn(service.command, log, subprocess.STDOUT)

    def _spawn(
        self, command: tuple[str, ...], output: IO[bytes] | int, errors: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        # When we die the broker goes too, and a worker without one tries forever to find it and
        # does not listen: nothing but SIGKILL is sure to end it.
        return processes.spawn(
            list(command),
            folder=CHECKOUT,
            output=output,
            errors=errors,
            death_signal=signal.SIGKILL,
            environment=self.site.environment,
        )

    def _log(self, name: str) -> Path:
        return self.site.data_dir / "log" / f"{name}.log"


def say_done(what: str, began_at: float) -> None:
    say(f"{what:<10}{time.monotonic() - began_at:6.1f} s")


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As the web server does: a port whose last connections still linger is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose_port(named: str | None) -> int:
    """`PORT`, or the first free one from 8000 on. GaveUp when there is none."""
    if named is None:
        for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
            if is_free(port):
                if port != FIRST_PORT:
                    say(f"Port {FIRST_PORT} is taken, so the site is at {port}.")
                return port
        raise daemons.GaveUp(f"Ports {FIRST_PORT} to {port} are all taken; set PORT to a free one.")
    if not named.isdecimal() or not 0 < int(named) < 65536:
        raise daemons.GaveUp(f"PORT: {named!r} is not a port; give a number from 1 to 65535.")
    if not is_free(int(named)):
        raise daemons.GaveUp(
            f"PORT: {named} cannot be listened on; it is taken or not allowed to you."
        )
    return int(named)


def is_ready(address: str, port: int) -> bool:
    """The site at `port` says that all it needs can be reached."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": urlsplit(address).netloc})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def marketplace(data_dir: Path, environment: Mapping[str, str]) -> Site:
    """The site of this checkout. GaveUp when `PORT` cannot be had."""
    port = choose_port(environment.get("PORT"))
    address = environment.get("SITE_URL") or f"http://127.0.0.1:{port}"
    manage = (sys.executable, "manage.py")
    celery = (sys.executable, "-m", "celery", "-A", "config")
    cores = len(os.sched_getaffinity(0))
    web = (
        sys.executable,
        "-m",
        "uvicorn",
        "config.asgi:application",
        "--no-access-log",
        "--timeout-graceful-shutdown=3",  # streams of events end only when told
        "--no-proxy-headers",  # nobody stands in front of it, so nobody else says who asks
        "--host",
        "127.0.0.1",
    )
    return Site(
        data_dir=data_dir,
        address=address,
        steps=(
            Step("migrate", (*manage, "migrate", "--no-input")),
            Step("seed", (*manage, "seed"), shown=True),
        ),
        services=(
            Service(
                "worker",
                (*celery, "worker", f"--concurrency={cores}", "--prefetch-multiplier=1")
                + ("--without-gossip", "--without-mingle", "--loglevel=INFO"),
                # First "finish what you do and take no more", then "put it back".
                stops=((signal.SIGTERM, 20.0), (signal.SIGQUIT, 5.0)),
            ),
            Service("beat", (*celery, "beat", "--pidfile=", "--loglevel=INFO")),
            Service("web", (*web, f"--port={port}")),
        ),
        is_ready=partial(is_ready, address, port),
        environment={
            **environment,
            "DATA_DIR": str(data_dir),
            "SITE_URL": address,
            "PYTHONUNBUFFERED": "1",
        },
    )


if __name__ == "__main__":
    folder = embedded.data_dir()
    sys.exit(run(folder, partial(marketplace, folder, os.environ)))
