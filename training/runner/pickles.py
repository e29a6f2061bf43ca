"""Whether bytes are a pickle, which is a program that runs when it is read.

Any stream of its instructions is refused, harmless or not, since what is harmless cannot be told
from outside. picklescan names what a stream would import, for those who want to know what they got.
"""

import io
import pickletools
from collections.abc import Iterator

from picklescan.scanner import scan_pickle_bytes

NAMED_BYTES_MAX = 64 * 2**20  # longer ones are refused without naming what they import
INSTRUCTIONS_MAX = 200_000  # so many by accident there are not
# What is called is imported first: where that can stand at the earliest, by what it takes.
IMPORTS = {"GLOBAL": 0, "INST": 0, "STACK_GLOBAL": 6}
NAMES_SHOWN = 5
# Shorter ones hold no more than a number, and the length that begins a safetensors file may be one.
SHORTEST_BYTES = 8


def faults(content: bytes) -> Iterator[str]:
    if not is_pickle(content):
        return
    named = ""
    if len(content) <= NAMED_BYTES_MAX:
        found = scan_pickle_bytes(io.BytesIO(content), "the file")
        names = sorted(f"{one.module}.{one.name}" for one in found.globals)
        named = f"; it imports {', '.join(names[:NAMES_SHOWN])}" if names else ""
    yield f"is a pickle, a program that runs when it is read{named}"


def is_pickle(content: bytes) -> bool:
    """Whether these bytes are instructions of a pickle up to its end, or up to one that imports."""
    end = 0
    try:
        for count, (instruction, _, at) in enumerate(pickletools.genops(content), start=1):
            end = at or 0
            if end >= IMPORTS.get(instruction.name, len(content)) or count >= INSTRUCTIONS_MAX:
                return True
    except (ValueError, IndexError, OverflowError, MemoryError):
        return False  # no such instruction, or its argument is cut off
    return end >= SHORTEST_BYTES
