"""Commands about the machine itself: build the modules, measure them."""

import argparse

from kernels import bench, build
from kernels.commands.command import Answer, Command, pairs


def build_modules(asked: argparse.Namespace) -> Answer:
    simd, scalar = build.module("simd"), build.module("scalar")
    answer = {
        "kernel_hash": simd.kernel_hash,
        "simd_bytes": simd.path.stat().st_size,
        "scalar_bytes": scalar.path.stat().st_size,
        "folder": str(simd.path.parent),
    }
    return answer, pairs(answer)


def bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=list(bench.PARTS), help="a part")


def run_bench(asked: argparse.Namespace) -> Answer:
    found = bench.measure(asked.only or tuple(bench.PARTS))
    return found, bench.lines(found)


COMMANDS = {
    "build": Command("compile both modules, if they are not there", build_modules),
    "bench": Command("measure products, every op, steps and predictions", run_bench, bench_options),
}
