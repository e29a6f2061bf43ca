"""`python -m kernels`: the compute core without the site.

    build                              compile the modules
    bench                              how fast
    train data.csv --model FILE        train
    inspect [FILE], profile [FILE]     a model, or what a configuration would do
    run FILE < rows.json               answers            explain FILE < rows.json    and why
    write FILE < tokens.json           go on from a prompt
    quantise FILE, prune FILE data.csv                    make it smaller
    export FILE --to onnx|wasm         hand it on         import FILE                 take it in

FILE is a model: one .safetensors with its network in it. Each command prints for people, or with
--json one object on standard output. No file is written over unless --force is said.
"""

import argparse
import io
import json
import sys
from collections.abc import Sequence

from kernels.build import BuildFailed
from kernels.checkpoints import CheckpointRefused
from kernels.commands import machine, models, training
from kernels.commands.command import say
from kernels.config import ConfigError
from kernels.data import DataError
from kernels.exchange.onnx_values import OnnxRefused
from kernels.exchange.wasm import ExportRefused
from kernels.explain import NotExplained
from kernels.graphfields import GraphRefused
from kernels.limits import SandboxError
from kernels.predictor import RowsRefused
from kernels.sampling import SamplingRefused
from kernels.tensors import ModelRefused
from kernels.trainer import NonFinite

COMMANDS = machine.COMMANDS | training.COMMANDS | models.COMMANDS
ANSWERED = (
    BuildFailed,
    CheckpointRefused,
    ConfigError,
    DataError,
    ExportRefused,
    GraphRefused,
    ModelRefused,
    NonFinite,
    NotExplained,
    OSError,
    OnnxRefused,
    RowsRefused,
    SamplingRefused,
    SandboxError,
)


def main(arguments: Sequence[str]) -> int:
    """Does what was asked and answers the status to end with: 0 done, 1 refused in a sentence, 130
    stopped by the person.
    """
    try:
        asked = parser().parse_args(arguments)
        answer, lines = COMMANDS[asked.command].run(asked)
        text = json.dumps(answer) if asked.json else "\n".join(lines)
        say(text, sys.stdout)
    except BrokenPipeError:  # whoever read has seen enough
        return 1
    except ANSWERED as error:
        say(in_words(error), sys.stderr)
        return 1
    except MemoryError:
        say("there is not enough memory; take fewer rows or smaller layers", sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        say(str(stop) or "stopped", sys.stderr)
        return 130
    return 0


def in_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def speak_utf8() -> None:
    """UTF-8 in and out, whatever the locale says: the same bytes on every machine."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_read = stream is sys.stdin
            stream.reconfigure(encoding="utf-8", errors="strict" if is_read else "backslashreplace")


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m kernels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(required=True, dest="command", metavar="command")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.help)
        sub.add_argument("--json", action="store_true", help="one object on standard output")
        command.options(sub)
    return root


if __name__ == "__main__":
    speak_utf8()
    sys.exit(main(sys.argv[1:]))
