"""Files that mean harm, each made by a few lines, by name of what is wrong with them.

The first table holds files by the name under which mallory brings them. All are tiny, and none is
harmful here: the pickles call `print`.
"""

import io
import json
import pickle
import struct
import tarfile
import zipfile

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from kernels import modelfile
from kernels.exchange import binary
from kernels.exchange.binary import Binary
from kernels.modelfile import Model, Signature
from tests.kernels.networks import NETWORKS

EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Shouts:
    """Prints when it is unpickled."""

    def __reduce__(self):
        return print, ("unpickled",)


def good_safetensors() -> bytes:
    network = NETWORKS["dense"]()
    return modelfile.dump(Model(network.graph, Signature((), ()), network.arrays))


def safetensors(header: bytes | dict, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(begin=0, end=4, shape=(1,), dtype="F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def zipped(*members: tuple[str, bytes], method=zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def zipped_noise() -> bytes:
    """A zip whose contents are called deflated and are none, so that unpacking them fails."""
    whole = zipped(("weights", bytes(64)), method=zipfile.ZIP_DEFLATED)
    start = whole.index(b"weights") + len(b"weights")
    return whole[:start] + b"\xff\xff" + whole[start + 2 :]


def zipped_link() -> bytes:
    link = zipfile.ZipInfo("weights")
    link.external_attr = 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    return file.getvalue()


def tarred_link() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        link = tarfile.TarInfo("weights")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        archive.addfile(link)
    return file.getvalue()


def model_and_zip() -> bytes:
    """A model from the front, whose last tensor is a zip from behind."""
    inner = zipped(("weights.pkl", pickle.dumps(Shouts())))
    inner += b"\0" * (-len(inner) % 4)
    padded = np.frombuffer(inner, np.float32)
    finite = {"dtype": "F32", "shape": [len(padded)], "data_offsets": [0, len(inner)]}
    return safetensors({"w": finite}, inner)


def onnx_model(weights: np.ndarray | None = None, *, domain="", location="") -> bytes:
    array = np.zeros(3, np.float32) if weights is None else weights
    held = numpy_helper.from_array(array, "w")
    if location:
        held.data_location = TensorProto.EXTERNAL
        held.external_data.add(key="location", value=location)
    node = helper.make_node("Add", ["x", "w"], ["y"], domain=domain)
    places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    graph = helper.make_graph([node], "g", places[:1], places[1:], [held])
    domains = [helper.make_opsetid(name, 21) for name in {"", domain}]
    return helper.make_model(graph, opset_imports=domains).SerializeToString()


def onnx_with_hidden_path() -> bytes:
    """The path stands in a constant within a branch within a branch, where none looks."""
    outside = TensorProto(name="c", dims=[1], data_type=TensorProto.FLOAT)
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="/etc/shadow")
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=outside)], "i", [], [])
    for _ in range(3):
        node = helper.make_node("If", ["t"], ["c"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([node], "o", [], [])
    return helper.make_model(inner).SerializeToString()


def wasm(*sections: tuple[int, bytes]) -> bytes:
    """A module with these sections, each a list of one entry, and an export."""
    made = Binary()
    for kind, entry in sections:
        made.lists[kind] = (1, entry)
    return made.encode()


def wasm_with_locals(count: int) -> bytes:
    body = binary.unsigned(1) + binary.unsigned(count) + bytes([binary.I32, binary.END])
    return wasm(
        (binary.TYPES, b"\x60\0\0"),
        (binary.FUNCTIONS, b"\0"),
        (binary.EXPORTS, binary.export("f", binary.FUNCTION_EXPORT, 0)),
        (binary.CODE, binary.unsigned(len(body)) + body),
    )


START = bytes([8, 1, 0])  # the section "start": run function 0
LARGE = np.array([1.0, np.inf], np.float32)

# name, content, the check that finds it
FILES: dict[str, tuple[str, bytes, str]] = {
    "a header of 2^63 bytes": ("m.safetensors", safetensors(b"{}", length=2**63), "format"),
    "a header of 100 MB": ("m.safetensors", safetensors(b"{}", length=10**8), "format"),
    "a header that is a list": ("m.safetensors", safetensors(b"[]"), "format"),
    "a header nested deeply": ("m.safetensors", safetensors(b'{"a":' * 50_000), "format"),
    "a header of other letters": ("m.safetensors", safetensors(b"{\xff\xfe}"), "format"),
    "a tensor that stands twice": (
        "m.safetensors",
        safetensors(
            b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"w":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}}',
            bytes(4),
        ),
        "format",
    ),
    "100,000 empty tensors": (
        "m.safetensors",
        safetensors({f"t{n}": tensor(0, 0, (0,)) for n in range(100_000)}),
        "format",
    ),
    "3,000 empty tensors": (
        "m.safetensors",
        safetensors({f"t{n}": tensor(0, 0, (0,)) for n in range(3_000)}),
        "format",
    ),
    "tensors that overlap": (
        "m.safetensors",
        safetensors({"a": tensor(), "b": tensor(2, 6)}, bytes(6)),
        "format",
    ),
    "a hole between tensors": (
        "m.safetensors",
        safetensors({"a": tensor(), "b": tensor(8, 12)}, bytes(12)),
        "format",
    ),
    "bytes behind the tensors": (
        "m.safetensors",
        safetensors({"a": tensor()}, bytes(64)),
        "format",
    ),
    "a shape that overflows": (
        "m.safetensors",
        safetensors({"a": tensor(shape=(2**62, 8))}, bytes(4)),
        "format",
    ),
    "a negative shape": (
        "m.safetensors",
        safetensors({"a": tensor(shape=(-1,))}, bytes(4)),
        "format",
    ),
    "nine sizes": ("m.safetensors", safetensors({"a": tensor(shape=(1,) * 9)}, bytes(4)), "format"),
    "a name that leads elsewhere": (
        "m.safetensors",
        safetensors({"a\nb": tensor()}, bytes(4)),
        "format",
    ),
    "a weight that is no number": (
        "m.safetensors",
        safetensors({"a": tensor()}, struct.pack("<f", float("nan"))),
        "weights",
    ),
    "an infinite weight": (
        "m.safetensors",
        safetensors({"a": tensor()}, struct.pack("<f", float("inf"))),
        "weights",
    ),
    "a pickle under another name": ("m.safetensors", pickle.dumps(Shouts()), "pickle"),
    "a pickle of letters": ("m.onnx", b"cbuiltins\nprint\n(S'unpickled'\ntR.", "pickle"),
    "a pickle that is cut off": ("m.safetensors", pickle.dumps(Shouts())[:-2], "pickle"),
    "a pickle that calls nothing": ("m.safetensors", pickle.dumps({"w": [1.0, 2.0]}), "pickle"),
    "a zip of a pickle": ("m.pt", zipped(("m/data.pkl", pickle.dumps(Shouts()))), "archive"),
    "a pickle under another name in a zip": (
        "m.onnx",
        zipped(("weights.txt", pickle.dumps(Shouts()))),
        "archive",
    ),
    "a model and a zip at once": ("m.safetensors", model_and_zip(), "archive"),
    "a zip that leads out": ("m.zip", zipped(("../../etc/cron.d/x", b"x")), "archive"),
    "a zip that leads to the root": ("m.zip", zipped(("/etc/cron.d/x", b"x")), "archive"),
    "a zip that leads to a drive": ("m.zip", zipped(("C:\\x", b"x")), "archive"),
    "a zip with a link": ("m.zip", zipped_link(), "archive"),
    "a zip of noise": ("m.zip", zipped_noise(), "archive"),
    "a zip that grows": (
        "m.zip",
        zipped(("zeros", bytes(3_000_000)), method=zipfile.ZIP_DEFLATED),
        "archive",
    ),
    "a tar with a link": ("m.tar", tarred_link(), "archive"),
    "a packed file": ("m.safetensors", b"\x1f\x8b\x08" + bytes(20), "archive"),
    "the test text of virus scanners": ("m.safetensors", EICAR.encode(), "signature"),
    "a drawing with a script": ("m.svg", b"<svg><script>alert(1)</script></svg>", "format"),
    "a picture that is a script": ("m.gif", b"GIF89a/*" + bytes(8) + b"*/=1;alert(1)", "format"),
    "ONNX with a path beside it": (
        "m.onnx",
        onnx_model(location="../../etc/passwd"),
        "external data",
    ),
    "ONNX with a hidden path": ("m.onnx", onnx_with_hidden_path(), "external data"),
    "ONNX with operators of its own": ("m.onnx", onnx_model(domain="com.mallory"), "format"),
    "ONNX with a weight that is no number": (
        "m.onnx",
        onnx_model(np.array([1, np.nan, 3], np.float32)),
        "weights",
    ),
    "ONNX that is none": ("m.onnx", b"\xff" * 64, "format"),
    "an empty file": ("m.onnx", b"", "format"),
    "wasm with 100,000 locals": ("m.wasm", wasm_with_locals(100_000), "format"),
    "wasm that starts by itself": ("m.wasm", wasm_with_locals(1) + START, "format"),
    "wasm with a table of 2^32": (
        "m.wasm",
        wasm((4, b"\x70\0" + binary.unsigned(2**32 - 1))),
        "format",
    ),
    "wasm that imports": ("m.wasm", wasm((2, b"\x01a\x01b\0\0"), (1, b"\x60\0\0")), "format"),
    "wasm that is cut off": ("m.wasm", wasm_with_locals(1)[:-3], "format"),
}
NAMES = (
    "../m.safetensors",
    "a/b.safetensors",
    "a\\b.safetensors",
    "m\r\nContent-Type: text-html.safetensors",
    "m\u202esrotensefas.safetensors",
    "m\0.safetensors",
    "m" * 300 + ".safetensors",
)
