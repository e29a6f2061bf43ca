"""The same module and tape in another engine than ours: V8, where Node is installed."""

import hashlib
import shutil
import subprocess

import pytest

from kernels import config
from kernels.patterns import EPOCH_ENDS
from kernels.trainer import Trainer
from tests.kernels import test_golden

NODE = shutil.which("node")
SCRIPT = """
const fs = require('fs'), crypto = require('crypto');
const [module, image, tape, program, arena, steps, begin, length] = process.argv.slice(1);
const instance = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(module)), {});
const {memory, run} = instance.exports, bytes = fs.readFileSync(image);
memory.grow((bytes.length - memory.buffer.byteLength) / 65536);
new Uint8Array(memory.buffer).set(bytes);
const done = run(+tape, +program, +arena, 0, +steps, 1);
const weights = Buffer.from(memory.buffer, +begin, +length);
console.log(done, crypto.createHash('sha256').update(weights).digest('hex'));
"""


# what the host does between steps, or with several sandboxes, no other engine is given here
ON_THE_HOST = {"dynamic_batch", "shards"}


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("name", test_golden.CASES)
def test_another_engine_trains_the_same_weights(name, simd, tmp_path):
    """Every kind of network, and every kind of arithmetic there is: polynomials, random numbers,
    double precision.
    """
    raw, shape, rows = test_golden.written(name)
    raw["training"] = {k: v for k, v in raw["training"].items() if k not in ON_THE_HOST}
    if raw.get("divergent", {}).get("pattern") in EPOCH_ENDS:
        del raw["divergent"]
    trainer = Trainer(config.parse(raw, shape), rows, seed=7, module=simd)
    instance, plan = trainer._machine.first._live(), trainer._plan.plan
    image = tmp_path / "memory"
    image.write_bytes(instance.bytes.tobytes())
    weights = trainer._plan.weights.whole
    words = [simd.path, image, instance.tape_at, plan.programs["train"], instance.arena_at]
    words += [
        trainer.steps_total,
        instance.arena_at + plan.addresses[weights],
        4 * weights.elements,
    ]
    said = subprocess.run(
        [NODE, "-e", SCRIPT, *map(str, words)], capture_output=True, text=True, check=True
    ).stdout.split()
    list(trainer.run())
    bits = hashlib.sha256(trainer._machine.first.array(weights).tobytes()).hexdigest()
    assert said == [str(trainer.steps_total), bits]
