"""The way into a module: answers, traps and types as wasmtime's own way has them."""

import threading

import pytest
import wasmtime

from kernels import runtime
from kernels.entry import Entry

ADD = """(module
    (func (export "add") (param i32 i32) (result i32)
        (if (i32.eqz (local.get 1)) (then unreachable))
        (i32.add (local.get 0) (local.get 1)))
    (func (export "half") (param f32) (result f32) (local.get 0))
    (func (export "silent") (param i32)))"""


@pytest.fixture
def exports():
    store = wasmtime.Store(runtime.engine())
    module = wasmtime.Module(runtime.engine(), bytes(wasmtime.wat2wasm(ADD)))
    return store, wasmtime.Instance(store, module, []).exports(store)


def test_an_entry_answers_what_the_function_answers(exports):
    store, found = exports
    add = Entry(store, found["add"])
    for words in ((1, 2), (2**31 - 1, 1), (2**32 - 1, 3), (-5, 2)):
        assert add(*words) == found["add"](store, *(wasmtime.Val.i32(word) for word in words))


def test_a_trap_is_raised_and_names_its_reason(exports):
    add = Entry(exports[0], exports[1]["add"])
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        add(1, 0)
    assert add(1, 1) == 2


@pytest.mark.parametrize("name", ["half", "silent"])
def test_a_function_of_another_type_is_no_entry(name, exports):
    with pytest.raises(TypeError, match="takes whole numbers and gives one"):
        Entry(exports[0], exports[1][name])


def test_another_number_of_words_is_refused(exports):
    with pytest.raises(ValueError, match="zip"):
        Entry(exports[0], exports[1]["add"])(1)


def test_a_call_lets_other_threads_run(exports):
    """While one thread is inside for a while, this one goes on."""
    text = """(module (func (export "spin") (param i32) (result i32)
        (loop $again (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 0)))"""
    store = wasmtime.Store(runtime.engine())
    module = wasmtime.Module(runtime.engine(), bytes(wasmtime.wat2wasm(text)))
    spin = Entry(store, wasmtime.Instance(store, module, []).exports(store)["spin"])
    thread = threading.Thread(target=spin, args=(200_000_000,))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
    assert turns > 100
