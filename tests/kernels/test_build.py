"""The build: the same bits each time, whole under a race, and nobody else's machine code."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import wasmtime

from kernels import build, runtime


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A folder for which two processes raced, and the kernel hashes they found.

    Takes half a minute: it compiles all sources, with an empty compiler cache.
    """
    folder = tmp_path_factory.mktemp("kernels")
    command = "from kernels import build; print(build.module().kernel_hash)"

    def run(_):
        environment = os.environ | {"KERNELS_DIR": str(folder)}
        return subprocess.run(
            [sys.executable, "-c", command],
            env=environment,
            cwd=build.SOURCES.parents[1],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(run, range(2)))
    return folder, hashes


@pytest.fixture
def folder(tmp_path, simd):
    """A folder of its own with what was built, and no machine code yet.

    Machine code that is loaded is mapped: who writes over it kills the process.
    """
    built = simd.path.parent
    shutil.copytree(built, tmp_path / built.name, ignore=shutil.ignore_patterns("*.cwasm"))
    return tmp_path


@pytest.mark.campaign
def test_a_build_is_the_same_bits_in_another_folder(fresh, simd):
    folder, hashes = fresh
    assert set(hashes) == {simd.kernel_hash}
    for variant in ("simd", "scalar"):
        here, there = build.module(variant), build.module(variant, folder)
        assert here.path.read_bytes() == there.path.read_bytes()


@pytest.mark.campaign
def test_a_race_leaves_one_whole_build_and_no_rubbish(fresh):
    folder, _ = fresh
    assert [path.name for path in folder.iterdir()] == [build.source_hash()[:16]]
    assert {path.name for path in build.module("simd", folder).path.parent.iterdir()} == {
        "simd.wasm",
        "scalar.wasm",
        "dispatch.h",
        "table.h",
    }


def test_the_modules_import_nothing_and_export_what_is_used(simd, scalar):
    for module in (simd, scalar):
        compiled = wasmtime.Module(runtime.engine(), module.path.read_bytes())
        assert [i.name for i in compiled.imports] == []
        assert [e.name for e in compiled.exports] == ["memory", "run", "__heap_base"]


def test_the_scalar_module_has_no_vector_instruction(scalar, simd):
    config = wasmtime.Config()
    config.wasm_simd = False
    config.wasm_relaxed_simd = False
    engine = wasmtime.Engine(config)
    wasmtime.Module(engine, scalar.path.read_bytes())
    with pytest.raises(wasmtime.WasmtimeError, match="SIMD"):
        wasmtime.Module(engine, simd.path.read_bytes())


def test_machine_code_that_another_user_could_have_written_is_not_loaded(folder):
    path = build.module("simd", folder).path
    kept = path.with_suffix(".cwasm")
    runtime.compiled.cache_clear()
    runtime.compiled(path)
    assert runtime.is_ours(kept)
    kept.write_bytes(b"mallory")
    kept.chmod(0o666)
    assert not runtime.is_ours(kept)
    runtime.compiled.cache_clear()
    runtime.compiled(path)
    assert runtime.is_ours(kept)  # compiled anew and replaced
    assert kept.read_bytes() != b"mallory"
    moved = path.with_suffix(".moved")
    kept.rename(moved)
    kept.symlink_to(moved)
    assert not runtime.is_ours(kept)


def test_machine_code_of_another_engine_is_compiled_anew(folder):
    path = build.module("scalar", folder).path
    kept = path.with_suffix(".cwasm")
    other = wasmtime.Config()
    other.consume_fuel = True
    foreign = wasmtime.Module(wasmtime.Engine(other), path.read_bytes()).serialize()
    kept.write_bytes(foreign)
    kept.chmod(0o600)
    runtime.compiled.cache_clear()
    runtime.compiled(path)
    assert kept.read_bytes() != bytes(foreign)


def test_sources_that_do_not_compile_are_refused_with_the_compilers_words(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "FLAGS", [*build.FLAGS, "-Dop_adam=+"])
    with pytest.raises(build.BuildFailed, match=r"compiling the simd module failed:(.|\n)*error"):
        build.build(tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_many_threads_that_begin_at_once_share_one_engine_and_one_module(folder):
    """A module of one engine does not run in another."""
    path = build.module("simd", folder).path
    path.with_suffix(".cwasm").unlink(missing_ok=True)
    runtime.compiled.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: runtime.compiled(path), range(8)))
    assert len({id(module) for module in found}) == 1
    assert type(runtime.engine) is type(runtime.compiled)  # it is too quick to be caught in a race
