"""What a run will take, before it runs: for prices, limits and refusals."""

from dataclasses import dataclass, replace

from kernels import batching, programs, runtime
from kernels.config import ConfigError, NetworkConfig
from kernels.fields import Problem
from kernels.limits import Limits
from kernels.network import parameter_count
from kernels.tape import work


@dataclass(frozen=True)
class Estimate:
    """From the tape of a run. `step_work` is what `Limits.step_work` bounds."""

    parameters: int
    steps: int
    steps_per_epoch: int
    flops_per_step: int
    step_work: int
    memory_bytes: int
    model_bytes: int


def estimate(config: NetworkConfig, *, rows: int, validation_rows: int = 0) -> Estimate:
    """What training on this many rows will take; nothing is computed.

    Raises ConfigError where one step would do more than `Limits` allow by default.
    """
    found = programs.training_plan(config, rows=rows, validation_rows=validation_rows, seed=0)
    plan = found.plan
    per_epoch = programs.steps_per_epoch(config, rows)
    parameters = parameter_count(config.parameters)
    measured = sum(2 * columns.mean.elements for columns in found.columns.values())
    shards = config.training.shards
    steps = [name for name in plan.programs if name.startswith(("train", "slopes", "move"))]
    step_work, allowed = max(map(work, plan.tape.programs)), Limits().step_work
    if step_work > allowed:
        reason = f"makes a step of {step_work:,} operations, at most {allowed:,}; take fewer rows"
        raise ConfigError([Problem("training.batch_size", reason)])
    return Estimate(
        parameters=parameters,
        steps=per_epoch * config.training.epochs,
        steps_per_epoch=per_epoch,
        flops_per_step=shards * sum(plan.flops[name] for name in steps),
        step_work=step_work,
        memory_bytes=shards * runtime.memory_bytes(plan.tape),
        model_bytes=4 * (parameters + measured),
    )


def fitted(
    config: NetworkConfig, *, rows: int, validation_rows: int = 0, memory_bytes: int
) -> NetworkConfig:
    """The same configuration with the largest batch, up to its own, that trains within so much
    memory.

    Raises OutOfMemory where one row of each shard is too much.
    """
    shards = config.training.shards

    def of_batch(size: int) -> NetworkConfig:
        return replace(config, training=replace(config.training, batch_size=size))

    def needed_bytes(rows_of_shard: int) -> int:
        sized = of_batch(shards * rows_of_shard)
        plan = programs.training_plan(sized, rows=rows, validation_rows=validation_rows, seed=0)
        return shards * runtime.memory_bytes(plan.plan.tape)

    most = programs.batch_rows(config, rows) // shards
    found = batching.largest_batch(needed_bytes, memory_bytes, most)
    return config if found == most else of_batch(shards * found)
