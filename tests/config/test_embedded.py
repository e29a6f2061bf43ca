"""The embedded database and broker, really started, killed and started again.

Each command here is a process of its own, as at a terminal; one start takes about half a second,
half of it Python's.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings

from config import child, embedded, processes, servers

COMMAND = """
import sys
from pathlib import Path
from config import embedded

with embedded.parts(Path(sys.argv[1]), long_lived=sys.argv[2] == "supervisor") as started:
    print(*[server.name for server in started], flush=True)
    sys.stdin.readline()
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def no_servers_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about the embedded parts, also where the suite runs on other servers."""
    for kind in embedded.KINDS:
        monkeypatch.delenv(kind.variable, raising=False)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    """Starts a command that uses the parts; the answer names those it started itself."""
    commands = []

    def start_command(kind: str = "command") -> subprocess.Popen[str]:
        command = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(data_dir), kind],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        commands.append(command)
        return command

    yield start_command
    for command in commands:
        with command:  # closes its pipes
            command.kill()
    wait_until(lambda: not pids(data_dir))


def started_by(command: subprocess.Popen[str]) -> list[str]:
    """Waits until the command has its parts; those that it started."""
    assert command.stdout is not None
    line = command.stdout.readline()
    if not line:
        assert command.stderr is not None
        pytest.fail(command.stderr.read())
    return line.split()


def ask_to_leave(command: subprocess.Popen[str]) -> None:
    assert command.stdin is not None
    command.stdin.write("\n")
    command.stdin.flush()


def leave(command: subprocess.Popen[str]) -> str:
    """Ends the command in order; what it said to the person at the terminal."""
    _, said = command.communicate("\n", timeout=20)
    assert command.returncode == 0, said
    return said


def pids(data_dir: Path) -> list[int]:
    return [
        *processes.working_in(data_dir / "database", "postgres"),
        *processes.working_in(data_dir / "broker", "valkey-server"),
    ]


def wait_until(happens: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.01)


def query(data_dir: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(embedded.database_url(data_dir), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def broker(data_dir: Path) -> "redis.Redis":
    return redis.Redis(unix_socket_path=embedded.broker_url(data_dir).removeprefix("redis+socket:"))


def test_a_bare_folder_gets_a_database_and_a_broker_that_end_with_the_block(
    tmp_path: Path,
) -> None:
    with embedded.parts(tmp_path) as started:
        assert [server.name for server in started] == ["database", "broker"]
        assert query(tmp_path, "SELECT current_database()") == [("marketplace",)]
        with broker(tmp_path) as client:
            assert client.ping() is True
        assert pids(tmp_path)
    assert pids(tmp_path) == []


def test_the_database_keeps_what_it_confirms_and_sorts_alike_everywhere(tmp_path: Path) -> None:
    with embedded.parts(tmp_path, wanted=["database"]):
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert query(tmp_path, f"SHOW {setting}") == [("on",)]
        assert query(tmp_path, "SELECT lower('À'), 'À' ILIKE 'à', 'B' < 'a'") == [("à", True, True)]
        assert processes.working_in(tmp_path / "broker", "valkey-server") == []


def test_rows_and_messages_are_there_after_kill_9_of_everything(
    data_dir: Path, start: Start
) -> None:
    owner = start()
    started_by(owner)
    query(data_dir, "CREATE TABLE confirmed AS SELECT generate_series(1, 1000) AS number")
    with broker(data_dir) as client:
        client.rpush("queue", *range(100))
        client.execute_command("WAITAOF", 1, 0, 2000)  # else a message may be a second from disk
    for pid in [*pids(data_dir), owner.pid]:
        os.kill(pid, signal.SIGKILL)
    again = start()
    assert started_by(again) == ["database", "broker"]
    assert query(data_dir, "SELECT count(*) FROM confirmed") == [(1000,)]
    with broker(data_dir) as client:
        assert client.llen("queue") == 100
    leave(again)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_servers_end_when_their_owner_is_killed(
    data_dir: Path, start: Start, number: signal.Signals
) -> None:
    owner = start()
    started_by(owner)
    assert pids(data_dir)
    owner.send_signal(number)
    wait_until(lambda: not pids(data_dir))


def test_a_start_waits_for_the_servers_of_an_owner_just_killed(
    data_dir: Path, start: Start
) -> None:
    owner = start()
    started_by(owner)
    before = set(pids(data_dir))
    owner.kill()
    again = start()
    assert started_by(again) == ["database", "broker"]
    assert not before & set(pids(data_dir))
    leave(again)


def test_a_server_that_outlived_its_owner_is_stopped_first(data_dir: Path) -> None:
    """A server can be left without an owner and without a signal, by a debugger for instance."""
    for kind in embedded.KINDS:
        server = kind(data_dir, embedded.socket_dir(data_dir))
        with embedded.parts(data_dir, wanted=[kind.name]):
            pass  # makes the folder
        orphan = processes.spawn(
            server.command(),
            folder=server.folder,
            output=subprocess.DEVNULL,
            death_signal=signal.Signals.SIGCONT,
            identity=server.identity(),
        )
        wait_until(server.answers)
        with embedded.parts(data_dir, wanted=[kind.name]) as started:
            assert [server.name for server in started] == [kind.name]
            assert orphan.wait(1) == 0, "it was asked to end, not killed"


def test_a_pid_file_that_names_a_living_stranger_is_not_believed(data_dir: Path) -> None:
    with embedded.parts(data_dir, wanted=["database"]):
        believed = (data_dir / "database" / "postmaster.pid").read_text()
    stranger = "\n".join([str(os.getppid()), *believed.splitlines()[1:]])
    for path in ("database/postmaster.pid", "sockets/.s.PGSQL.5432.lock"):
        (data_dir / path).write_text(stranger)
    with embedded.parts(data_dir, wanted=["database"]):
        assert query(data_dir, "SELECT 1") == [(1,)]


def test_the_first_command_waits_for_the_second_and_says_so(data_dir: Path, start: Start) -> None:
    first, second = start(), start()
    shares = [started_by(first), started_by(second)]
    if not shares[0]:  # the second was quicker
        first, second = second, first
    assert sorted(shares) == [[], ["database", "broker"]]
    ask_to_leave(first)
    assert first.stderr is not None
    assert first.stderr.readline() == (
        "Waiting for other commands that use the broker; Ctrl-C stops it at once.\n"
    )
    assert query(data_dir, "SELECT 1") == [(1,)]
    leave(second)
    assert first.wait(10) == 0
    assert pids(data_dir) == []


def test_a_third_command_may_join_while_the_first_waits(data_dir: Path, start: Start) -> None:
    first = start()
    started_by(first)
    second = start()
    assert started_by(second) == []
    ask_to_leave(first)
    third = start()
    assert started_by(third) == []
    leave(second)
    leave(third)
    assert first.wait(10) == 0


def test_the_supervisor_waits_for_its_turn_and_then_for_nobody(
    data_dir: Path, start: Start
) -> None:
    first = start()
    started_by(first)
    supervisor = start("supervisor")
    assert supervisor.stderr is not None
    assert supervisor.stderr.readline() == (
        "Waiting for the command that started the database to end.\n"
    )
    leave(first)
    assert started_by(supervisor) == ["database", "broker"]
    guest = start()
    assert started_by(guest) == []
    leave(supervisor)
    assert pids(data_dir) == []


def test_a_server_named_in_the_environment_replaces_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in embedded.KINDS:
        monkeypatch.setenv(kind.variable, "somewhere else")
    with embedded.parts(tmp_path) as started:
        assert started == []
    assert list(tmp_path.iterdir()) == []


def test_data_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "database").mkdir()
    (tmp_path / "database" / "PG_VERSION").write_text("17\n")
    with (
        pytest.raises(embedded.EmbeddedError, match="PostgreSQL 17.*DATABASE_URL"),
        embedded.parts(tmp_path, wanted=["database"]),
    ):
        pytest.fail("started on foreign data")
    assert (tmp_path / "database" / "PG_VERSION").read_text() == "17\n"


def test_a_creation_that_was_killed_begins_anew(tmp_path: Path) -> None:
    half = tmp_path / "database.unfinished"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with embedded.parts(tmp_path, wanted=["database"]):
        assert query(tmp_path, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_what_the_server_said_is_told_when_it_cannot_start(data_dir: Path) -> None:
    with embedded.parts(data_dir, wanted=["database"]):
        pass
    configuration = data_dir / "database" / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text("no_such_setting = on")
    with (
        pytest.raises(embedded.EmbeddedError, match="(?s)ended at once.*no_such_setting"),
        embedded.parts(data_dir, wanted=["database"]),
    ):
        pytest.fail("started with a broken configuration")
    configuration.write_text(good)


@pytest.mark.parametrize("name", ["d" * 60, "with space", "mit-ümlaut", "100%"])
def test_a_path_that_is_long_or_not_plain_moves_only_the_sockets(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / name
    sockets = embedded.socket_dir(data_dir)
    assert sockets.parent == Path("/tmp")
    assert sockets != embedded.socket_dir(tmp_path / f"{name}2")
    with embedded.parts(data_dir):
        assert query(data_dir, "SHOW data_directory") == [(str(data_dir / "database"),)]
        with broker(data_dir) as client:
            assert client.ping() is True
        assert sockets.stat().st_mode & 0o777 == 0o700
    sockets.rmdir()


def test_mallory_cannot_prepare_the_folder_of_the_sockets(tmp_path: Path) -> None:
    data_dir = tmp_path / "with space"
    sockets = embedded.socket_dir(data_dir)
    sockets.symlink_to(tmp_path)
    try:
        with (
            pytest.raises(embedded.EmbeddedError, match="remove it"),
            embedded.parts(data_dir, wanted=["broker"]),
        ):
            pytest.fail("listened in a folder of somebody else's choice")
    finally:
        sockets.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_data_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, child.NOBODY, child.NOBODY)
    with (
        pytest.raises(embedded.EmbeddedError, match=f"belongs to user {child.NOBODY}"),
        embedded.parts(tmp_path),
    ):
        pytest.fail("worked in a folder of somebody else")


def test_an_unknown_part_is_named_with_those_there_are(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="'storage'.*database and broker"),
        embedded.parts(tmp_path, wanted=["storage"]),
    ):
        pytest.fail("started what does not exist")


def test_the_addresses_need_nothing_started(tmp_path: Path) -> None:
    data_dir = Path("/srv/marketplace")
    assert embedded.database_url(data_dir) == (
        "postgres://marketplace@/marketplace?host=/srv/marketplace/sockets"
    )
    assert embedded.broker_url(data_dir) == ("redis+socket:///srv/marketplace/sockets/broker.sock")


def test_a_long_log_makes_room(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"old\n")
    os.truncate(path, processes.LOG_BYTES + 1)
    with processes.open_log(path) as log:
        log.write(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert path.with_name("server.log.1").read_bytes().startswith(b"old\n")


def test_the_servers_of_the_two_parts_are_called_as_their_variables_say() -> None:
    assert {kind.name: kind.variable for kind in embedded.KINDS} == {
        servers.Database.name: "DATABASE_URL",
        servers.Broker.name: "CELERY_BROKER_URL",
    }
