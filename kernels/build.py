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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from kernels.ops import OPCODES, TABLE, Op
from kernels.ops.chance import STREAM

Variant = Literal["simd", "scalar"]

SOURCES = Path(__file__).parent / "c"
DEFAULT_DATA = Path(__file__).parents[1] / "var"
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
POINTERS = {"f4": "float", "*": "float", "u4": "u32", "i1": "i8"}
ATTRIBUTES = {int: "u32", float: "float"}
VARIANT_FLAGS: dict[Variant, list[str]] = {"simd": ["-msimd128"], "scalar": []}


class BuildFailed(Exception):
    """The C compiler refused the sources, or there is no compiler; the text is what it said."""


class ModuleUnknown(Exception):
    """No module that is kept here has this hash and the instructions of today."""


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

    Folder: the argument, else the environment's KERNELS_DIR, else `kernels` in its DATA_DIR, else
    in var.
    """
    base = folder or folder_of(os.environ)
    built = base / source_hash()[:16]
    if not built.is_dir():
        build(built)
    return Module(built / f"{variant}.wasm", variant, file_hash(built / "simd.wasm"))


def module_of(kernel_hash: str, variant: Variant = "simd", folder: Path | None = None) -> Module:
    """The module that did old work, among all that were ever built here.

    Its arithmetic may be another than today's, but what it is told must not: today's table has to
    begin with the one it was built from, or a tape of today would mean something else to it. (Ops
    that were added since stop it, and no old work asks for them.) Raises ModuleUnknown.
    """
    today = module(variant, folder)
    if today.kernel_hash == kernel_hash:
        return today
    for path in sorted(today.path.parents[1].glob("[!.]*/simd.wasm")):
        if file_hash(path) == kernel_hash:
            built = path.parent
            break
    else:
        raise ModuleUnknown(f"the kernel {kernel_hash[:12]} is not kept here")
    if not is_told_as_today(built):
        raise ModuleUnknown(
            f"the kernel {kernel_hash[:12]} is kept here, but it was built from another table of "
            "instructions and would misread what is compiled today"
        )
    return Module(built / f"{variant}.wasm", variant, kernel_hash)


def is_told_as_today(built: Path) -> bool:
    today = {"table.h": table_header(), "dispatch.h": dispatch_header()}
    return all(text.startswith((built / name).read_text()) for name, text in today.items())


def folder_of(environment: Mapping[str, str]) -> Path:
    """Where builds lie: where the site keeps them, so that both find each other's."""
    data = Path(environment.get("DATA_DIR") or DEFAULT_DATA)
    return Path(environment.get("KERNELS_DIR") or data / "kernels")


def table_header() -> str:
    """The table for the C compiler: the prototype of every kernel."""
    lines = [f"{answer(row)} op_{name}({', '.join(parameters(row))});" for name, row in rows()]
    return "\n".join(["// Written from the table in kernels/ops.", *lines, ""])


def dispatch_header() -> str:
    """What the virtual machine does for each opcode."""
    lines = []
    for name, row in rows():
        call = f"op_{name}({', '.join(arguments(row))})"
        act = f"return {call};" if row.decides else f"{call}; return 1;"
        lines.append(f"        case {OPCODES[name]}: {act}")
    return "\n".join(["// Written from the table in kernels/ops.", *lines, ""])


def rows() -> Iterable[tuple[str, Op]]:
    return TABLE.items()


def answer(row: Op) -> str:
    return "u32" if row.decides else "void"


def parameters(row: Op) -> list[str]:
    """Outputs, sources, scratch, sizes, attributes, the step. What has an output keeps its sources
    as they are.
    """
    keeps = "const " if row.signature.outputs else ""
    found = [f"{POINTERS[term.dtype]} *" for term in row.signature.outputs]
    found += [f"{keeps}{POINTERS[term.dtype]} *" for term in row.signature.inputs]
    found += ["float *"] if row.scratch is not None else []
    found += ["u32"] * len(row.signature.sizes)
    found += [ATTRIBUTES[of] for name, of in row.attributes.items() if name not in STREAM]
    found += ["Stream"] if "purpose" in row.attributes else []
    return found + (["u32"] if row.counts_steps else [])


def arguments(row: Op) -> list[str]:
    terms = row.signature.outputs + row.signature.inputs
    found = [f"({POINTERS[term.dtype]} *)A({at})" for at, term in enumerate(terms)]
    found += [f"(float *)A({len(found)})"] if row.scratch is not None else []
    found += [f"N({len(found) + at})" for at in range(len(row.signature.sizes))]
    at = len(found)
    for name, of in row.attributes.items():
        if name not in STREAM:
            found.append(f"{'N' if of is int else 'X'}({at})")
        elif name == "seed_low":
            found.append(f"STREAM({at})")
        at += 1
    return found + (["step"] if row.counts_steps else [])


@lru_cache
def source_hash() -> str:
    digest = hashlib.sha256((table_header() + dispatch_header()).encode())
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
        (work / "table.h").write_text(table_header())
        (work / "dispatch.h").write_text(dispatch_header())
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
