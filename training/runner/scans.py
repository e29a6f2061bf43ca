"""Looks through a file before anybody is asked to trust it, without running any of it.

A list of bad things loses against whoever knows the list, so a file is held to what a good one is:
its name says safetensors, ONNX or WebAssembly, and its content is just that within our limits. What
else is looked for (pickle, archives, a polyglot of both) tells people what they have there. A scan
that comes to no end is an error, and an error is not clean.

    {"state": "clean" | "flagged" | "error", "findings": [{"check", "message"}], "checks": [...],
     "sha256", "size_bytes", "scanners": {name: version}, "not_tried": [...]}
"""

import hashlib
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import wasmtime

from kernels import modelfile, tensors
from kernels.exchange import binary
from kernels.exchange.binary import Binary, NoModule
from kernels.tensors import ModelRefused
from training.runner import archives, onnxfiles, pickles

FINDINGS_MAX = 20
NAME_MAX = 200
# A harmless text that every virus scanner agrees to find: EICAR's, in two parts.
TEST_SIGNATURE = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
# Sections of a WebAssembly module that an exported model never has.
FORBIDDEN_SECTIONS = {
    2: "imports functions of its surroundings",
    8: "runs a function as soon as it is loaded",
}
TABLES = 4
TABLE_ENTRIES_MAX = 10_000
# What a scanner may raise over a file that was made to break it.
FAULTS = (
    ValueError,
    LookupError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
)


@dataclass(frozen=True)
class Finding:
    """One reason not to trust a file: which check, and what it saw."""

    check: str
    message: str


def scan(name: str, content: bytes) -> dict[str, Any]:
    """What is wrong with a file of this name and content, as the JSON above."""
    findings: list[Finding] = []
    try:
        findings.extend(look(name, content))
        state = "flagged" if findings else "clean"
    except FAULTS as error:
        reason = f"the scan came to no end: {type(error).__name__}: {error}"[:300]
        findings.append(Finding("scan", reason))
        state = "error"
    return {
        "state": state,
        "findings": [asdict(finding) for finding in findings[:FINDINGS_MAX]],
        "checks": ["name", "signature", "pickle", "archive", "format", "weights"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "scanners": {package: version(package) for package in ("picklescan", "safetensors")},
        "not_tried": ["a virus scanner: none is connected to this site"],
    }


def look(name: str, content: bytes) -> Iterator[Finding]:
    """All findings, one check after the other."""
    yield from (Finding("name", message) for message in name_faults(name))
    if TEST_SIGNATURE in content:
        yield Finding("signature", "holds the test text of virus scanners")
    yield from (Finding("pickle", message) for message in pickles.faults(content))
    yield from (Finding("archive", message) for message in archives.faults(content))
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in FORMATS:
        yield from FORMATS[suffix](content)
    else:
        known = ", ".join(FORMATS)
        yield Finding("format", f"{suffix or 'no suffix'}: a file of a model ends in {known}")


def name_faults(name: str) -> Iterator[str]:
    """A name that leads elsewhere, or reads otherwise than it is."""
    if len(name) > NAME_MAX:
        yield f"has {len(name)} characters; at most {NAME_MAX}"
    if "/" in name or "\\" in name or name in ("", ".", ".."):
        yield "must be the name of a file, without folders"
    hidden = {unicodedata.name(c, f"U+{ord(c):04X}") for c in name if not c.isprintable()}
    for character in sorted(hidden):
        yield f"holds a character that nobody sees: {character}"


def look_at_safetensors(content: bytes) -> Iterator[Finding]:
    """Our own limits on the header stand before the library; a model of ours is then read whole."""
    try:
        arrays, texts = tensors.read(content)
        wrong = [n for n, array in arrays.items() if not np.isfinite(array).all()]
        for name in wrong:
            yield Finding("weights", f"{name}: holds numbers that are not finite")
        if "format" in texts and not wrong:
            del arrays
            modelfile.load(content)
    except ModelRefused as error:
        yield Finding("format", str(error))


def look_at_onnx(content: bytes) -> Iterator[Finding]:
    return (Finding(check, message) for check, message in onnxfiles.faults(content))


def look_at_wasm(content: bytes) -> Iterator[Finding]:
    """A module that asks for nothing and does nothing by itself. It is not loaded here."""
    try:
        sections = Binary.parse(content).lists
    except NoModule as error:
        yield Finding("format", str(error))
        return
    for kind, meaning in FORBIDDEN_SECTIONS.items():
        if kind in sections:
            yield Finding("format", meaning)
    for entries in table_sizes(*sections.get(TABLES, (0, b""))):
        if entries > TABLE_ENTRIES_MAX:
            yield Finding("format", f"a table of {entries:,}; at most {TABLE_ENTRIES_MAX:,}")
    if binary.EXPORTS not in sections:
        yield Finding("format", "exports nothing")
    try:
        wasmtime.Module.validate(wasmtime.Engine(), content)
    except wasmtime.WasmtimeError as error:
        yield Finding("format", f"is no valid module: {str(error).splitlines()[0]}"[:300])


def table_sizes(count: int, entries: bytes) -> Iterator[int]:
    """The least size of each table: a type, whether a largest is given, the least, the largest."""
    at = 0
    for _ in range(count):
        is_bounded = entries[at + 1] & 1
        size, at = binary.number(entries, at + 2)
        if is_bounded:
            _, at = binary.number(entries, at)
        yield size


FORMATS: dict[str, Callable[[bytes], Iterator[Finding]]] = {
    ".safetensors": look_at_safetensors,
    ".onnx": look_at_onnx,
    ".wasm": look_at_wasm,
}
