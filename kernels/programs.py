"""The programs of a network: what its tapes do, in training and in use.

One step of `train` is a whole training step, from picking the rows of the batch to moving the
parameters, so that any number of steps is one call into the sandbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernels import ops, optimizers, schedules
from kernels.autodiff import gradients
from kernels.compiler import Plan, Program, compile_programs
from kernels.config import ConfigError, NetworkConfig
from kernels.fields import Problem
from kernels.graph import Node, Number, count, leaf, view
from kernels.network import Parameter, forward, parameters
from kernels.philox import Purpose, stream

EVALUATION_ROWS = 256
STEPS_LIMIT = 2**31 - 1  # the virtual machine counts steps in one word
PREDICTION_ROWS = 32
PREDICTION_CAPACITY_ROWS = 1_024
PREDICTION_CAPACITY_ELEMENTS = 2**21  # 8 MB of rows, where they are wide


@dataclass(frozen=True)
class Block:
    """All parameters side by side in one leaf, and each as a view of it: what optimisers and
    checkpoints want.
    """

    whole: Node
    parts: Mapping[str, Node]


@dataclass(frozen=True)
class Columns:
    """Mean and scale of each feature, measured on the training rows."""

    mean: Node
    scale: Node


@dataclass(frozen=True)
class Sums:
    """Where a program leaves its measurements: one mean loss and one count of right answers for
    each step it takes.
    """

    rows_per_step: int
    losses: Node
    corrects: Node

    @property
    def steps(self) -> int:
        return self.losses.elements


@dataclass(frozen=True)
class TrainingPlan:
    """The tape of a training run, and the leaves of its memory that the host fills or reads.

    Programs: `measure` finds mean and scale of the training rows; `initialise` draws the weights;
    `train` is the step; those in `evaluations` measure the validation rows in blocks, the rows that
    are left over in a block of their own.
    """

    plan: Plan
    weights: Block
    moments: tuple[Node, ...]
    data: Mapping[str, Node]
    columns: Columns
    training: Sums
    evaluations: Mapping[str, Sums]


@dataclass(frozen=True)
class PredictionPlan:
    """The tape that turns rows into probabilities: `many` takes 32 rows a step, `one` takes one."""

    plan: Plan
    weights: Block
    columns: Columns
    rows: Node
    probabilities: Node


def batch_rows(config: NetworkConfig, rows: int) -> int:
    return min(config.batch_size, rows)


def steps_per_epoch(config: NetworkConfig, rows: int) -> int:
    """Whole batches only: rows left over are skipped, other ones each epoch since their order
    changes.
    """
    return rows // batch_rows(config, rows)


def block(name: str, specification: Sequence[Parameter]) -> Block:
    whole = leaf(name, (sum(count(parameter.shape) for parameter in specification),))
    parts, offset = {}, 0
    for parameter in specification:
        part = view(whole, offset, parameter.shape, parameter.name)
        parts[parameter.name] = part
        offset += part.elements
    return Block(whole, parts)


def sums(name: str, rows_per_step: int, steps: int) -> Sums:
    return Sums(rows_per_step, leaf(f"{name}.losses", (steps,)), leaf(f"{name}.corrects", (steps,)))


def column_leaves(config: NetworkConfig) -> Columns:
    return Columns(leaf("mean", (config.features,)), leaf("scale", (config.features,)))


def labelled(config: NetworkConfig, name: str, rows: int) -> dict[str, Node]:
    return {
        f"{name}_rows": leaf(f"{name}_rows", (rows, config.features)),
        f"{name}_labels": leaf(f"{name}_labels", (rows, 1), "u4"),
    }


def training_plan(
    config: NetworkConfig, *, rows: int, validation_rows: int, seed: int
) -> TrainingPlan:
    """The plan for this many rows; `seed`, below 2^64, decides all that is random.

    Raises ConfigError where the epochs make more steps than can be counted.
    """
    steps = steps_per_epoch(config, rows) * config.epochs
    if steps > STEPS_LIMIT:
        reason = f"makes {steps:,} steps, at most {STEPS_LIMIT:,}; take fewer or a larger batch"
        raise ConfigError([Problem("training.epochs", reason)])
    weights = block("weights", parameters(config))
    columns = column_leaves(config)
    data = labelled(config, "train", rows)
    training = sums("train", batch_rows(config, rows), steps_per_epoch(config, rows))
    step, moments = training_step(config, weights, columns, data, training, seed)
    measure = ops.apply("measure_columns", data["train_rows"], columns.mean, columns.scale)
    programs = {
        "measure": Program([measure]),
        "initialise": initialise(config, weights, seed),
        "train": step,
    }
    evaluations: dict[str, Sums] = {}
    if validation_rows:
        data |= labelled(config, "validation", validation_rows)
        evaluations = evaluation_sums(validation_rows)
        for number, (name, measured) in enumerate(evaluations.items()):
            first = validation_rows - measured.rows_per_step if number else 0
            programs[name] = evaluation(config, weights, columns, data, measured, first)
    plan = compile_programs(programs)
    return TrainingPlan(plan, weights, moments, data, columns, training, evaluations)


def training_step(
    config: NetworkConfig,
    weights: Block,
    columns: Columns,
    data: Mapping[str, Node],
    measured: Sums,
    seed: int,
) -> tuple[Program, tuple[Node, ...]]:
    """The program of one step, and the optimiser's moments. Losses are recorded before anything is
    moved.
    """
    per_epoch: dict[str, Number] = {"steps_per_epoch": measured.steps}
    rows = data["train_rows"].shape or (0,)
    order, tag = leaf("order", rows[:1], "u4"), leaf("order_tag", (1,), "u4")
    shuffle = ops.apply("shuffle", order, tag, attributes=per_epoch | stream(seed, Purpose.SHUFFLE))
    batch = {"b": measured.rows_per_step}
    x = ops.apply("gather", data["train_rows"], order, sizes=batch, attributes=per_epoch)
    labels = ops.apply("gather", data["train_labels"], order, sizes=batch, attributes=per_epoch)
    x = ops.apply("standardise", x, columns.mean, columns.scale)
    loss = ops.apply("cross_entropy", forward(config, x, weights.parts, dropout_seed=seed), labels)
    record = ops.apply("record", loss, measured.losses, measured.corrects)

    slopes = block("gradients", parameters(config))
    found = gradients(loss, weights.parts.values())
    into = {found[weights.parts[name]]: place for name, place in slopes.parts.items()}
    moments = tuple(
        leaf(name, weights.whole.shape or ()) for name in optimizers.MOMENTS[config.optimizer]
    )
    rate, counted = leaf("learning_rate", (1,)), leaf("optimizer_steps", (1,))
    one = leaf("rate_factor", (1,))
    move = [
        ops.apply("constant", sizes={"count": 1}, attributes={"value": 1.0}),
        schedules.schedule(
            "constant", rate, one, learning_rate=config.learning_rate, steps_total=0
        ),
        optimizers.move(
            config.optimizer,
            weights.whole,
            slopes.whole,
            moments,
            rate,
            counted,
            momentum=config.momentum,
        ),
    ]
    into[move[0]] = one
    if config.divergent is not None:
        steps_total = measured.steps * config.epochs
        move = [explore(config.divergent.factor, slopes.whole, steps_total, seed), *move]
    return Program([shuffle, record, *into, *move], into), (*moments, counted)


def explore(factor: float, slopes: Node, steps_total: int, seed: int) -> Node:
    strength: dict[str, Number] = {"factor": factor, "steps_total": steps_total}
    attributes = strength | stream(seed, Purpose.LATERAL)
    return ops.apply("lateral", slopes, attributes=attributes)


def initialise(config: NetworkConfig, weights: Block, seed: int) -> Program:
    """Weights uniform within their bounds. Biases are left at the zeros that fresh memory holds."""
    into = {}
    for number, parameter in enumerate(parameters(config)):
        if parameter.bound:
            place = weights.parts[parameter.name]
            draws = {"bound": parameter.bound} | stream(seed, Purpose.WEIGHTS + number)
            size = {"count": place.elements}
            into[ops.apply("uniform", sizes=size, attributes=draws)] = place
    return Program(list(into), into)


def evaluation_sums(rows: int) -> dict[str, Sums]:
    whole, rest = divmod(rows, EVALUATION_ROWS)
    found = {"evaluate": sums("evaluate", EVALUATION_ROWS, whole)} if whole else {}
    return found | ({"evaluate_rest": sums("evaluate_rest", rest, 1)} if rest else {})


def evaluation(
    config: NetworkConfig,
    weights: Block,
    columns: Columns,
    data: Mapping[str, Node],
    measured: Sums,
    first: int,
) -> Program:
    """Measure blocks of validation rows from row `first` on."""
    x, labels = (
        ops.apply(
            "take_rows",
            data[part],
            sizes={"b": measured.rows_per_step},
            attributes={"first": first},
        )
        for part in ("validation_rows", "validation_labels")
    )
    x = ops.apply("standardise", x, columns.mean, columns.scale)
    loss = ops.apply("cross_entropy", forward(config, x, weights.parts), labels)
    return Program([ops.apply("record", loss, measured.losses, measured.corrects)])


def prediction_plan(config: NetworkConfig) -> PredictionPlan:
    weights = block("weights", parameters(config))
    columns = column_leaves(config)
    fitting = PREDICTION_CAPACITY_ELEMENTS // max(config.features, config.classes)
    capacity = max(PREDICTION_ROWS, min(fitting, PREDICTION_CAPACITY_ROWS))
    rows = leaf("rows", (capacity, config.features))
    probabilities = leaf("probabilities", (capacity, config.classes))
    programs = {}
    for name, size in {"many": PREDICTION_ROWS, "one": 1}.items():
        x = ops.apply("take_rows", rows, sizes={"b": size}, attributes={"first": 0})
        x = ops.apply("standardise", x, columns.mean, columns.scale)
        found = ops.apply("softmax", forward(config, x, weights.parts))
        programs[name] = Program(
            [ops.apply("put_rows", found, probabilities, attributes={"first": 0})]
        )
    return PredictionPlan(compile_programs(programs), weights, columns, rows, probabilities)
