"""What a run will take, before it runs: for prices, limits and refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kernels import batching, programs, runtime
from kernels.config import ConfigError, NetworkConfig
from kernels.fields import Problem
from kernels.limits import Limits
from kernels.network import parameter_count
from kernels.patterns import EPOCH_ENDS
from kernels.tape import work


@dataclass(frozen=True)
class Estimate:
    """From the tape of a run. `step_work` is what `Limits.step_work` bounds; `flops` are those of
    all steps and of all measurements of the validation rows.
    """

    parameters: int
    steps: int
    steps_per_epoch: int
    flops_per_step: int
    flops: int
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
    works = {name: work(plan.tape.programs[number]) for name, number in plan.programs.items()}
    refuse_long_steps(config, works, max(works[name] for name in steps))
    flops_per_step = shards * sum(plan.flops[name] for name in steps)
    evaluation = sum(plan.flops[name] * of.steps for name, of in found.evaluations.items())
    return Estimate(
        parameters=parameters,
        steps=per_epoch * config.training.epochs,
        steps_per_epoch=per_epoch,
        flops_per_step=flops_per_step,
        flops=config.training.epochs
        * (per_epoch * flops_per_step + evaluations_an_epoch(config) * evaluation),
        step_work=max(works.values()),
        memory_bytes=shards * runtime.memory_bytes(plan.tape),
        model_bytes=4 * (parameters + measured),
    )


def refuse_long_steps(config: NetworkConfig, works: Mapping[str, int], training: int) -> None:
    """ConfigError where a step would do more than `Limits` allow by default."""
    allowed = Limits().step_work
    if training > allowed:
        path = "training.batch_size" if config.training.batch_size > 1 else "architecture.layers"
        wanted = "take fewer rows" if config.training.batch_size > 1 else "take a smaller network"
        reason = f"makes a step of {training:,} operations, at most {allowed:,}; {wanted}"
        raise ConfigError([Problem(path, reason)])
    largest = max(works, key=lambda name: works[name])
    if works[largest] > allowed:
        reason = f"'{largest}' takes {works[largest]:,} operations, at most {allowed:,}"
        raise ConfigError([Problem("architecture.layers", f"{reason}; take a smaller network")])


def evaluations_an_epoch(config: NetworkConfig) -> int:
    """How often all validation rows are measured: once, and as often as a pattern wants."""
    divergent = config.divergent
    if divergent is None or divergent.pattern not in EPOCH_ENDS:
        return 1
    return 1 + EPOCH_ENDS[divergent.pattern](divergent.factor).measurements


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
