"""Measures how fast predictions are served, over the network of this machine, on a site of its own.

The real server on an embedded database, with keys, metering, logs and metrics as people meet them.
It fails for wrong answers alone: how fast a machine is, and who else works on it, is no fault.
"""

import asyncio
import importlib.util
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import embedded, processes
from config.bench import contest, ground
from config.bench.load import LoadFailed

ROUNDS, SECONDS = 5, 1.0
START_SECONDS = 60.0
PEER = ("fastapi", "onnxruntime")


class Command(BaseCommand):
    help = "Measure how fast predictions are served, beside FastAPI where it is installed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rounds", type=int, default=ROUNDS, help="in which all take turns")
        parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
        parser.add_argument("--lay", metavar="FOLDER", help="only make what is measured on")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object, nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["lay"]:
            ground.lay(Path(options["lay"]))
            return
        try:
            figures = measure(options["rounds"], options["seconds"])
        except (contest.WrongAnswer, LoadFailed, embedded.EmbeddedError) as error:
            raise CommandError(str(error)) from error
        found = contest.report(figures)
        self.stdout.write(json.dumps(found) if options["json"] else "\n".join(lines(found)))


def measure(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    for variable in ("DATABASE_URL", "CELERY_BROKER_URL"):
        os.environ.pop(variable, None)  # measured on the embedded ones; this process uses neither
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(embedded.parts(folder))
        environment = os.environ | {"DATA_DIR": name, "DEMO": "on", "LOG_LEVEL": "INFO"}
        lay(folder, environment)
        made = ground.read(folder)
        site = stack.enter_context(server("config.bench.site", folder, environment))
        peer = None
        if all(importlib.util.find_spec(package) for package in PEER):
            # As it comes: what we tell the arithmetic library about this processor, it chooses.
            plain = {k: v for k, v in environment.items() if k != "OPENBLAS_CORETYPE"}
            its_own = plain | {"BENCH_ONNX": str(made.onnx)}
            peer = stack.enter_context(server("config.bench.peer", folder, its_own))
        everybody = contest.contestants(made, site, peer)
        return asyncio.run(contest.measure(made, everybody, rounds, seconds))


def lay(folder: Path, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "manage.py", "bench_serving", "--lay", str(folder)]
    run(command, folder / "lay.log", environment)


def run(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    process = spawn(command, log, environment)
    if process.wait() != 0:
        raise CommandError(f"{' '.join(command)} failed: {processes.read_log(log)}")


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Any:
    with processes.open_log(log) as output:
        return processes.spawn(
            list(command),
            folder=settings.BASE_DIR,
            output=output,
            death_signal=signal.SIGKILL,
            environment=environment,
        )


@contextmanager
def server(module: str, folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The port at which an application answers, by the site's own server."""
    port = free_port()
    log = folder / f"{module}.log"
    options = ["--no-access-log", "--port", str(port), "--timeout-graceful-shutdown", "1"]
    command = [sys.executable, "-m", "uvicorn", f"{module}:application", *options]
    process = spawn(command, log, environment)
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while not answers(port):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise CommandError(f"{module} did not start: {processes.read_log(log)}")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def lines(found: Mapping[str, Any]) -> list[str]:
    """The figures as a person would want to read them."""
    text = ["predictions served on this machine, model 64-128-10"]
    for name, each in found["figures"].items():
        if "samples_per_second" in each:
            text.append(
                f"  {name:<24} {each['samples_per_second']:9,.0f} rows/s"
                f"   a call p50 {each['p50_ms']:6.2f}  p99 {each['p99_ms']:6.2f} ms"
            )
            continue
        alone = "  ".join(f"p{n} {each[f'alone_p{n}_ms']:6.2f}" for n in contest.PERCENTS)
        half = "  ".join(f"p{n} {each[f'half_p{n}_ms']:6.2f}" for n in contest.PERCENTS)
        text.append(f"  {name:<24} {each['calls_per_second']:9,.0f} calls/s  alone {alone} ms")
        text.append(f"  {'':<24} {'':9}          at half {half} ms")
    text.append(
        f"  peer: {found['peer'] or 'FastAPI and ONNX Runtime, which are not installed here'}"
    )
    for name, ratio in found["times_the_peer"].items():
        text.append(f"  {name}: {ratio:.2f} times as many as the peer (goal: more than 1)")
    for name, floor in found["floors"].items():
        mark = "SHORT" if name in found["below_floor"] else "ok"
        text.append(f"  floor {name} {floor:,g}: {found['reached'][name]:,.2f}  {mark}")
    return text
