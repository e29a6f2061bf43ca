"""The way into a module: an exported function of whole numbers, called without ceremony.

wasmtime's own `Func` asks for the function's type and converts each value at every call, which
costs 35 µs: ten times what a small network takes to answer. Here the type is looked at once and the
call goes through the C function for callers who know it. The names with an underscore are
wasmtime's own; its version is locked, and the tests of the sandbox (results, traps, threads) run
through here.
"""

import ctypes

import wasmtime
from wasmtime import _ffi as ffi


class Entry:
    """Raises TypeError for a function that does not take and give 32-bit whole numbers."""

    def __init__(self, store: wasmtime.Store, function: wasmtime.Func) -> None:
        kind = function.type(store)
        words = {str(of) for of in (*kind.params, *kind.results)}
        if words != {"i32"} or len(kind.results) != 1:
            raise TypeError(f"an entry takes whole numbers and gives one, not {words}")
        self._store, self._function = store, function  # both must outlive the pointers below
        self._context = store._context()
        self._place = ctypes.byref(function._func)
        self._values = (ffi.wasmtime_val_raw_t * len(kind.params))()

    def __call__(self, *words: int) -> int:
        """The function's answer. Raises wasmtime.Trap and wasmtime.WasmtimeError."""
        for value, word in zip(self._values, words, strict=True):
            value.i32 = word
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_func_call_unchecked(
            self._context, self._place, self._values, len(words), ctypes.byref(trap)
        )
        if bool(error):  # a pointer is false where it is null
            raise wasmtime.WasmtimeError._from_ptr(error)
        if bool(trap):
            raise wasmtime.Trap._from_ptr(trap)
        return int(self._values[0].i32)
