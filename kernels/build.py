"""From the C sources to two WebAssembly modules: with vectors, and the same sources without, as the
yardstick.

A build lies in a folder named after the sources it was made from, so a second call finds it and old
work can be run again with the module that did it. The *kernel hash* is the SHA-256 of the vector
module. The build is reproducible to the bit: stripped, since debug information would hold paths.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from kernels.ops import OPCODES

Variant = Literal["simd", "scalar"]

SOURCES = Path(__file__).parent / "c"
DEFAULT_FOLDER = Path(__file__).parents[1] / "var" / "kernels"
STACK_BYTES = 65_536
FLAGS = [
    "--target=wasm32-freestanding",
    "-std=c17",
    "-O3",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-nostdlib",
    "-ffreestanding",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    "-Wl,--export=__heap_base",
    f"-Wl,-z,stack-size={STACK_BYTES}",
]
VARIANT_FLAGS: dict[Variant, list[str]] = {"simd": ["-msimd128"], "scalar": []}


class BuildFailed(Exception):
    """The C compiler refused the sources, or there is no compiler; the text is what it said."""


@dataclass(frozen=True)
class Module:
    """A compiled module. `kernel_hash` names the arithmetic: the SHA-256 of the vector module of
    the same sources.
    """

    path: Path
    variant: Variant
    kernel_hash: str


def module(variant: Variant = "simd", folder: Path | None = None) -> Module:
    """The module of these sources, built if it is not there yet. Raises BuildFailed.

    Folder: the argument, else the environment's KERNELS_DIR, else var/kernels.
    """
    base = folder or Path(os.environ.get("KERNELS_DIR") or DEFAULT_FOLDER)
    built = base / source_hash()[:16]
    if not built.is_dir():
        build(built)
    return Module(built / f"{variant}.wasm", variant, file_hash(built / "simd.wasm"))


def opcodes_header() -> str:
    """The table's opcodes for the C compiler, so that they exist once."""
    lines = [f"    {name.upper()} = {opcode}," for name, opcode in OPCODES.items()]
    return "\n".join(["// Written from kernels/ops.py.", "enum {", *lines, "};", ""])


@lru_cache
def source_hash() -> str:
    digest = hashlib.sha256(opcodes_header().encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(repr((FLAGS, VARIANT_FLAGS)).encode())
    return digest.hexdigest()


@lru_cache
def file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(target: Path) -> None:
    """Both modules into `target`. Several processes may do so at once: the first to rename wins,
    all find it whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        (work / "opcodes.h").write_text(opcodes_header())
        for variant in VARIANT_FLAGS:
            compile_variant(variant, work)
        shutil.rmtree(work / "cache", ignore_errors=True)
        work.chmod(0o755)
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def compile_variant(variant: Variant, work: Path) -> None:
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *VARIANT_FLAGS[variant]]
    command += [f"-I{SOURCES}", f"-I{work}", "-o", str(work / f"{variant}.wasm"), *sources]
    cache = {
        "ZIG_GLOBAL_CACHE_DIR": str(work / "cache"),
        "ZIG_LOCAL_CACHE_DIR": str(work / "cache"),
    }
    # the command is ours from first to last word
    ran = subprocess.run(  # noqa: S603
        command, env=os.environ | cache, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise BuildFailed(f"compiling the {variant} module failed:\n{ran.stderr}")
