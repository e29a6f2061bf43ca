"""What an ONNX file knows: its weights, and what is computed of constants alone, shapes mostly."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from kernels.exchange.onnx_shapes import numbers
from kernels.exchange.onnx_values import ELEMENTS_LIMIT, Array, OnnxRefused, refuse_large

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
WHOLE = (TensorProto.INT32, TensorProto.INT64)
CONSTANTS = (*FLOATS, *WHOLE, TensorProto.BOOL)
TYPE_NAMES = {number: name for name, number in TensorProto.DataType.items()}
KINDS = {**dict.fromkeys(FLOATS, "f4"), **dict.fromkeys(WHOLE, "i8"), TensorProto.BOOL: "?"}


def array(tensor: onnx.TensorProto) -> Array:
    """The numbers of a tensor in the file."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise OnnxRefused(f"{tensor.name[:40]!r} lies in external_data, another file; embed it")
    if tensor.data_type not in CONSTANTS:
        kind = TYPE_NAMES.get(tensor.data_type, str(tensor.data_type))
        raise OnnxRefused(f"{tensor.name[:40]!r} holds numbers of type {kind}; export it as FLOAT")
    try:
        found = numpy_helper.to_array(tensor)
    except (TypeError, ValueError) as error:
        raise OnnxRefused(f"{tensor.name[:40]!r}: {error}") from error
    return found.astype(np.float32) if tensor.data_type in FLOATS else found


def attribute(one: onnx.AttributeProto) -> Any:
    if one.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise OnnxRefused("holds a graph of its own; loops and branches are not known here")
    if one.type == AttributeProto.TENSOR:
        return array(one.t)
    found = helper.get_attribute_value(one)
    if isinstance(found, bytes):
        return found.decode("utf-8", "replace")
    if isinstance(found, (list, tuple)) and found and isinstance(found[0], bytes):
        return [text.decode("utf-8", "replace") for text in found]
    return found


def constant(attributes: Mapping[str, Any]) -> Array:
    for name, dtype in (("value", None), ("value_float", "f4"), ("value_int", "i8")):
        if name in attributes:
            return np.asarray(attributes[name], dtype)
    for name, dtype in (("value_floats", "f4"), ("value_ints", "i8")):
        if name in attributes:
            return np.array(attributes[name], dtype)
    raise OnnxRefused("a constant of an unknown kind")


def folded(kind: str, inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    """An operator on constants."""
    shape: tuple[int, ...] = ()
    if kind not in ("Concat", "Expand"):
        shape = np.broadcast_shapes(*(given.shape for given in inputs))
    refuse_large(shape)
    return np.asarray(FOLDS[kind](inputs, attributes))


def plain(function: Callable[..., Any]) -> Callable[[Sequence[Array], Mapping[str, Any]], Any]:
    return lambda inputs, attributes: function(*inputs)


def divided(inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    """Whole numbers stay whole, and are cut towards zero: -7 / 2 is -3."""
    left, right = inputs
    if left.dtype.kind not in "iu":
        return np.asarray(np.divide(left, right))
    return np.asarray(np.floor_divide(left - np.fmod(left, right), right))


def remainder(inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    """With the sign of the divisor, or where `fmod` is 1 with that of what is divided."""
    return np.asarray((np.fmod if attributes.get("fmod", 0) else np.mod)(*inputs))


def expanded(inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(numbers(inputs, 1)))
    refuse_large(shape)
    return np.broadcast_to(inputs[0], shape)


def counted(inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    start, limit, step = (given.item() for given in inputs)
    if not step or (limit - start) / step > ELEMENTS_LIMIT:
        raise OnnxRefused(f"counts from {start} to {limit} by {step}")
    found: Array = np.arange(start, limit, step).astype(inputs[0].dtype)
    return found


def triangle(inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    diagonal = int(inputs[1].item()) if len(inputs) > 1 else 0
    return (np.triu if attributes.get("upper", 1) else np.tril)(inputs[0], diagonal)


def cast(inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    return inputs[0].astype(KINDS[attributes["to"]])


def joined(inputs: Sequence[Array], attributes: Mapping[str, Any]) -> Array:
    refuse_large([sum(given.size for given in inputs)])
    return np.concatenate(inputs, axis=int(attributes["axis"]))


FOLDS: dict[str, Callable[[Sequence[Array], Mapping[str, Any]], Any]] = {
    "Add": plain(np.add),
    "And": plain(np.logical_and),
    "Cast": cast,
    "Concat": joined,
    "Div": divided,
    "Equal": plain(np.equal),
    "Expand": expanded,
    "Greater": plain(np.greater),
    "GreaterOrEqual": plain(np.greater_equal),
    "Less": plain(np.less),
    "LessOrEqual": plain(np.less_equal),
    "Mod": remainder,
    "Mul": plain(np.multiply),
    "Neg": plain(np.negative),
    "Not": plain(np.logical_not),
    "Or": plain(np.logical_or),
    "Pow": plain(np.power),
    "Range": counted,
    "Sqrt": plain(np.sqrt),
    "Sub": plain(np.subtract),
    "Trilu": triangle,
    "Where": plain(np.where),
}
