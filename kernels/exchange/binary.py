"""The binary format of WebAssembly, as far as adding to a module needs it.

A module is a magic word and sections; most sections are a count and that many entries, so that an
entry is added by raising the count and appending (WebAssembly Core Specification 2.0, chapter 5).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

MAGIC = b"\0asm\1\0\0\0"
CUSTOM, TYPES, FUNCTIONS, MEMORY, GLOBALS, EXPORTS, CODE, DATA, DATA_COUNT = (
    0, 1, 3, 5, 6, 7, 10, 11, 12,
)  # fmt: skip
ORDER = (1, 2, 3, 4, 5, 6, 7, 8, 9, DATA_COUNT, CODE, DATA)
FUNCTION_EXPORT, MEMORY_EXPORT, GLOBAL_EXPORT = 0, 2, 3
I32, I32_CONST, END = 0x7F, 0x41, 0x0B


class NoModule(ValueError):
    """Bytes that are no WebAssembly module, or one that uses what is not handled here."""


@dataclass(frozen=True)
class Binary:
    """A module by its sections; those that hold lists are a count and the bytes of the entries."""

    plain: dict[int, bytes] = field(default_factory=dict)
    lists: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    custom: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def parse(cls, blob: bytes) -> "Binary":
        """Raises NoModule."""
        if blob[:8] != MAGIC:
            raise NoModule("must begin with the magic word of WebAssembly 1")
        found, at = cls(), 8
        while at < len(blob):
            kind = blob[at]
            size, at = number(blob, at + 1)
            body, at = blob[at : at + size], at + size
            if at > len(blob):
                raise NoModule(f"section {kind} is cut off")
            if kind == CUSTOM:
                length, begin = number(body, 0)
                name = body[begin : begin + length].decode("utf-8", "replace")
                found.custom[name] = body[begin + length :]
            elif kind == DATA_COUNT:
                found.plain[kind] = body
            else:
                count, begin = number(body, 0)
                found.lists[kind] = (count, body[begin:])
        return found

    def encode(self) -> bytes:
        parts = [MAGIC]
        for kind in ORDER:
            if kind in self.lists:
                count, entries = self.lists[kind]
                parts.append(section(kind, unsigned(count) + entries))
            elif kind in self.plain:
                parts.append(section(kind, self.plain[kind]))
        for name, body in self.custom.items():
            parts.append(section(CUSTOM, text(name) + body))
        return b"".join(parts)

    def add(self, kind: int, *entries: bytes) -> int:
        """Append entries to a list; answers the number of the first."""
        count, body = self.lists.get(kind, (0, b""))
        self.lists[kind] = (count + len(entries), b"".join([body, *entries]))
        return count

    def exports(self) -> Iterator[tuple[str, int, int]]:
        """Name, kind and index of each."""
        count, body = self.lists.get(EXPORTS, (0, b""))
        at = 0
        for _ in range(count):
            length, at = number(body, at)
            name, at = body[at : at + length].decode(), at + length
            index, end = number(body, at + 1)
            yield name, body[at], index
            at = end

    def global_value(self, index: int) -> int:
        """What a global that is a 32-bit constant holds."""
        _, body = self.lists[GLOBALS]
        at = 0
        for _ in range(index + 1):
            if body[at] != I32 or body[at + 2] != I32_CONST:
                raise NoModule("a global that is no 32-bit constant")
            value, at = signed_number(body, at + 3)
            at += 1  # END
        return value


def number(blob: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    value, shift = 0, 0
    while True:
        if at >= len(blob) or shift > 63:
            raise NoModule("a number is cut off")
        value |= (blob[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not blob[at - 1] & 0x80:
            return value, at


def signed_number(blob: bytes, at: int) -> tuple[int, int]:
    value, end = number(blob, at)
    bits = 7 * (end - at)
    return value - (1 << bits) if value >> (bits - 1) & 1 else value, end


def unsigned(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def signed(value: int) -> bytes:
    """Signed LEB128 of a 32-bit word."""
    value = value - 2**32 if value >= 2**31 else value
    found = bytearray()
    while not -64 <= value < 64:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value & 0x7F])


def text(value: str) -> bytes:
    return unsigned(len(value.encode())) + value.encode()


def section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + unsigned(len(body)) + body


def constant(value: int) -> bytes:
    """The instruction that gives a 32-bit word."""
    return bytes([I32_CONST]) + signed(value)


def export(name: str, kind: int, index: int) -> bytes:
    return text(name) + bytes([kind]) + unsigned(index)


def segment(address: int, content: bytes) -> bytes:
    """Bytes that are in memory 0 from the start."""
    return b"\0" + constant(address) + bytes([END]) + unsigned(len(content)) + content
