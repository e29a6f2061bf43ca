"""The supervisor of `make run`, with small programs in the place of the site's own.

It runs as a process of its own, since it takes the signals and adopts the orphans. A start of the
embedded parts takes about half a second; most tests need none.
"""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from config import daemons, embedded, processes, supervisor

RUN = """
import json, os, sys
from pathlib import Path
from config import daemons, supervisor

plan = json.loads(sys.argv[1])
folder = Path(plan["data_dir"])
ready = folder / "ready"
site = supervisor.Site(
    data_dir=folder,
    address="http://127.0.0.1:1",
    steps=tuple(
        supervisor.Step(name, (sys.executable, "-S", "-c", code), shown=True)
        for name, code in plan["steps"].items()
    ),
    services=tuple(
        supervisor.Service(name, (sys.executable, "-S", "-c", code))
        for name, code in plan["services"].items()
    ),
    is_ready=(lambda: ready.exists()) if plan["waits"] else (lambda: True),
    environment=os.environ,
    patience=daemons.Patience(quick_seconds=1.0, backoff_seconds=0.02),
)
sys.exit(supervisor.run(folder, lambda: site))
"""
SERVE = "import time; print('serving', flush=True); time.sleep(60)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("serving", flush=True)
time.sleep(60)
"""
# Serves until SIGTERM and writes its name, the last argument of the format, to a file.
ORDERLY = """
import signal, sys, time
def end(*_):
    open({path!r}, "a").write({name!r} + " ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("serving", flush=True)
time.sleep(60)
"""
# Serves while its file is not there, and else dies soon.
DIES_WHILE = """
import os, time
print("serving", flush=True)
while not os.path.exists({path!r}): time.sleep(0.01)
print("the disk is full", flush=True)
raise SystemExit(3)
"""
LAST_LINE = "Neural Marketplace: http://127.0.0.1:1  (Ctrl-C stops it)\n"
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor of services given as Python code; the parts only where asked for."""
    supervisors = []

    def start_supervisor(
        services: dict[str, str],
        steps: dict[str, str] | None = None,
        *,
        parts: bool = False,
        waits: bool = False,
    ) -> subprocess.Popen[str]:
        plan = {"data_dir": str(tmp_path), "services": services, "steps": steps or {}}
        elsewhere = {kind.variable: "" if parts else "elsewhere" for kind in embedded.KINDS}
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, json.dumps(plan | {"waits": waits})],
            cwd=settings.BASE_DIR,
            env=os.environ | elsewhere,
            stdout=subprocess.PIPE,
            text=True,
        )
        supervisors.append(process)
        return process

    yield start_supervisor
    for process in supervisors:
        with process:  # closes its pipe
            process.kill()


def lines_until(process: subprocess.Popen[str], end: str) -> list[str]:
    """What it says up to and including the line `end`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == end:
            return lines
    pytest.fail(f"ended with {process.wait()} after saying {lines}")


def serves(data_dir: Path, name: str) -> bool:
    log = data_dir / "log" / f"{name}.log"
    return log.exists() and log.read_text() == "serving\n"


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def wait_until(happens: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_order_and_leaves_no_child(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    ends = tmp_path / "ends"
    services = {name: ORDERLY.format(path=str(ends), name=name) for name in ("worker", "web")}
    process = start(services, {"seed": "print('alice')"}, parts=True)
    said = lines_until(process, LAST_LINE)
    assert "alice\n" in said
    family = children(process.pid)
    assert len(family) == 4, "database, broker, worker and web"
    wait_until(lambda: all(serves(tmp_path, name) for name in services))
    process.send_signal(number)
    assert process.wait(10) == 0
    assert ends.read_text() == "worker web "
    assert not any(is_there(pid) for pid in family)
    for folder, program in (("database", "postgres"), ("broker", "valkey-server")):
        assert processes.working_in(tmp_path / folder, program) == []
    assert "shut down" in (tmp_path / "log" / "database.log").read_text().splitlines()[-1]


def test_the_children_of_a_killed_supervisor_end_however_stubborn(
    start: Start, tmp_path: Path
) -> None:
    process = start({"worker": STUBBORN, "web": SERVE}, parts=True)
    lines_until(process, LAST_LINE)
    wait_until(lambda: serves(tmp_path, "worker"))
    family = children(process.pid)
    process.kill()
    process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in family))


def is_running(pid: int) -> bool:
    """Not gone and not a zombie: process 1 may take its time."""
    return processes.title(pid) != ""


def test_a_service_that_dies_starts_again(start: Start, tmp_path: Path) -> None:
    process = start({"web": SERVE})
    lines_until(process, LAST_LINE)
    (web,) = children(process.pid)
    os.kill(web, signal.SIGKILL)
    assert process.stdout is not None
    assert process.stdout.readline() == (
        "web was killed by SIGKILL after 0 s; it starts again in 0.0 s.\n"
    )
    wait_until(lambda: len(children(process.pid)) == 1)
    assert children(process.pid) != [web]


def test_the_database_starts_again_too(start: Start, tmp_path: Path) -> None:
    process = start({"web": SERVE}, parts=True)
    lines_until(process, LAST_LINE)
    postmasters = set(children(process.pid)) & set(
        processes.working_in(tmp_path / "database", "postgres")
    )
    os.kill(postmasters.pop(), signal.SIGKILL)
    log = tmp_path / "log" / "database.log"
    wait_until(lambda: log.read_text().count("ready to accept connections") == 2)
    process.terminate()
    assert process.wait(10) == 0


def test_what_a_dead_service_left_behind_is_ended_and_buried(start: Start, tmp_path: Path) -> None:
    """As the pool of a worker whose main process is killed."""
    pid_file = tmp_path / "pid"
    forks = f"""
import os, time
pid = os.fork()
if pid: open({str(pid_file)!r}, "w").write(str(pid))
time.sleep(60)
"""
    process = start({"worker": forks})
    lines_until(process, LAST_LINE)
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
    left_behind = int(pid_file.read_text())
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not is_there(left_behind))


def test_a_service_that_never_runs_stops_the_site_and_its_log_is_quoted(start: Start) -> None:
    broken = "print('no such setting'); raise SystemExit(3)"
    process = start({"worker": SERVE, "web": broken}, waits=True)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output.count("it starts again") == 4
    assert "The site does not run: web ended with 3, 5 times in a row." in output
    assert output.rstrip().endswith("no such setting")


def test_a_service_that_keeps_dying_in_a_site_that_ran_does_not_stop_the_rest(
    start: Start, tmp_path: Path
) -> None:
    full = tmp_path / "disk is full"
    services = {"web": SERVE, "beat": DIES_WHILE.format(path=str(full))}
    process = start(services, waits=True)
    wait_until(lambda: all(serves(tmp_path, name) for name in services))
    (tmp_path / "ready").touch()
    lines_until(process, LAST_LINE)
    (web,) = (pid for pid in children(process.pid) if "print('serving'" in processes.title(pid))
    full.touch()
    lines_until(process, "the disk is full\n")  # the fifth death quotes the log
    assert process.poll() is None
    full.unlink()
    wait_until(lambda: len(children(process.pid)) == 2)
    assert web in children(process.pid)


def test_a_step_that_fails_stops_the_site_and_its_words_are_quoted(start: Start) -> None:
    process = start({"web": SERVE}, {"migrate": "raise SystemExit('column missing')"})
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "migrate ended with 1" in output
    assert "column missing" in output
    assert "Neural Marketplace" not in output


@pytest.mark.parametrize(
    "where", [{"steps": {"migrate": SERVE}}, {"steps": {}, "waits": True}], ids=["step", "wait"]
)
def test_a_signal_before_the_site_is_ready_ends_it_in_order(
    start: Start, tmp_path: Path, where: dict[str, object]
) -> None:
    process = start({"web": SERVE}, **where)
    wait_until(lambda: children(process.pid) != [])
    family = children(process.pid)
    process.terminate()
    assert process.wait(10) == 0
    assert not any(is_there(pid) for pid in family)


def test_the_address_is_said_only_when_the_site_is_ready(start: Start, tmp_path: Path) -> None:
    process = start({"web": SERVE}, waits=True)
    wait_until(lambda: serves(tmp_path, "web"))
    (tmp_path / "ready").touch()
    lines_until(process, LAST_LINE)


def test_a_second_signal_kills_a_service_that_does_not_end(start: Start, tmp_path: Path) -> None:
    process = start({"worker": STUBBORN})
    lines_until(process, LAST_LINE)
    wait_until(lambda: serves(tmp_path, "worker"))
    family = children(process.pid)
    process.send_signal(signal.SIGINT)
    lines_until(process, "Stopping.\n")
    process.send_signal(signal.SIGINT)
    assert process.wait(3) == 130
    assert not any(is_there(pid) for pid in family)


def test_a_second_site_says_where_the_first_one_runs(start: Start, tmp_path: Path) -> None:
    first = start({"web": SERVE})
    lines_until(first, LAST_LINE)
    output, _ = start({"web": SERVE}).communicate(timeout=10)
    assert output == (
        f"The site already runs at http://127.0.0.1:1 as process {first.pid}."
        " Stop it there first.\n"
    )
    assert first.poll() is None


def test_a_stubborn_service_is_killed_after_its_seconds(tmp_path: Path) -> None:
    path = tmp_path / "log" / "worker.log"
    with processes.open_log(path) as log:
        keeper = daemons.Keeper(
            name="worker",
            log=path,
            start=lambda: processes.spawn(
                [sys.executable, "-S", "-c", STUBBORN],
                folder=tmp_path,
                output=log,
                death_signal=signal.SIGKILL,
            ),
            patience=daemons.Patience(),
            stops=((signal.SIGTERM, 0.1),),
        )
        keeper.begin()
        wait_until(lambda: serves(tmp_path, "worker"))
        keeper.stop()
    assert keeper.process is not None
    assert keeper.process.returncode == -signal.SIGKILL


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_passed_over_unless_it_was_named(
    taken_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PORT", taken_port)
    port = supervisor.choose_port(None)
    assert taken_port < port < taken_port + supervisor.PORTS_TRIED
    assert capsys.readouterr().out == f"Port {taken_port} is taken, so the site is at {port}.\n"
    with pytest.raises(daemons.GaveUp, match=f"PORT: {taken_port} cannot be listened on"):
        supervisor.choose_port(str(taken_port))


@pytest.mark.parametrize("named", ["", "eighty", "-1", "0", "65536", "80.5"])
def test_a_port_that_is_none_is_refused_by_name(named: str) -> None:
    with pytest.raises(daemons.GaveUp, match=f"PORT: '{named}' is not a port"):
        supervisor.choose_port(named)


def test_the_site_prepares_its_rows_and_stops_the_worker_first(tmp_path: Path) -> None:
    site = supervisor.marketplace(tmp_path, {"HOME": "her home"})
    assert [step.name for step in site.steps] == ["migrate", "seed"]
    assert [service.name for service in site.services] == ["worker", "beat", "web"]
    assert site.environment["SITE_URL"] == site.address
    assert site.environment["DATA_DIR"] == str(tmp_path)
    assert site.environment["HOME"] == "her home"


class Doorman(http.server.BaseHTTPRequestHandler):
    """Answers as the site does: only under its own name, and 503 while a part is missing."""

    status = http.HTTPStatus.SERVICE_UNAVAILABLE

    def do_GET(self) -> None:
        known = (self.path, self.headers["Host"]) == ("/readyz", "market.example")
        self.send_response(self.status if known else http.HTTPStatus.BAD_REQUEST)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the tests read the answers."""


def test_the_site_is_ready_when_it_says_so_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Doorman) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        assert not supervisor.is_ready("https://market.example", port)
        monkeypatch.setattr(Doorman, "status", http.HTTPStatus.OK)
        assert supervisor.is_ready("https://market.example", port)
        assert not supervisor.is_ready(f"http://127.0.0.1:{port}", port)
        server.shutdown()
    assert not supervisor.is_ready("https://market.example", port)
