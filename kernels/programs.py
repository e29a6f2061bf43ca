"""The programs of a training run: what its tape does.

One step of `train` is a whole training step, from picking the rows of the batch to moving the
parameters, so that any number of steps is one call into the sandbox.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from kernels import ops, shards
from kernels.autodiff import gradients
from kernels.blocks import Block, Columns, Sums, block, columns_of, stored, sums
from kernels.compiler import Plan, Program, compile_programs
from kernels.config import ConfigError, NetworkConfig
from kernels.fields import Problem
from kernels.graph import Node, Number, in_order, leaf, reshape, view
from kernels.layers import Chance
from kernels.moves import Moves
from kernels.objectives import Batch, Objective, Phase, objective_of
from kernels.objectives.objective import standardised
from kernels.patterns import associative
from kernels.philox import Purpose, stream
from kernels.placement import is_memory
from kernels.settings import Augmentation
from kernels.tape import TOUCH_WORK

EVALUATION_ROWS = 256
EVALUATION_WORK = 500_000_000  # of one step, which cannot be stopped half-way: about 20 ms
STEPS_LIMIT = 2**31 - 1  # the virtual machine counts them in one word, those of each shard apart


@dataclass(frozen=True)
class TrainingPlan:
    """The tape of a training run, and the leaves of its memory that the host fills or reads.

    Programs: `measure` finds mean and scale of the training rows; `initialise` draws the weights;
    `train` is the step; those in `evaluations` measure the validation rows in blocks, the rows that
    are left over in a block of their own. `training` has sums for each phase of a step. Where
    batches are cut into shards, the step is a pair of programs for each of its `phases`.
    """

    plan: Plan
    objective: Objective
    weights: Block
    moves: Moves
    data: Mapping[str, Node]
    columns: Mapping[str, Columns]
    training: Sequence[Sums]
    phases: Sequence[shards.Phase]
    shards: int
    evaluations: Mapping[str, Sums]


def batch_rows(config: NetworkConfig, rows: int) -> int:
    return min(config.training.batch_size, rows)


def steps_per_epoch(config: NetworkConfig, rows: int) -> int:
    """Whole batches only: rows left over are skipped, other ones each epoch since their order
    changes.
    """
    return rows // batch_rows(config, rows)


def training_plan(
    config: NetworkConfig, *, rows: int, validation_rows: int, seed: int, is_masked: bool = False
) -> TrainingPlan:
    """The plan for this many rows; `seed`, below 2^64, decides all that is random. Where it
    `is_masked`, weights stay zero where the moves' mask is.

    Raises ConfigError where the epochs make more steps than can be counted.
    """
    per_epoch = steps_per_epoch(config, rows)
    steps = per_epoch * config.training.epochs
    if steps * config.training.shards > STEPS_LIMIT:
        most = STEPS_LIMIT // config.training.shards
        reason = f"makes {steps:,} steps, at most {most:,}; take fewer or a larger batch"
        if config.training.shards > 1:
            reason += ", or fewer shards"
        raise ConfigError([Problem("training.epochs", reason)])
    shards_most = batch_rows(config, rows)
    if config.training.shards > shards_most:
        reason = f"are more than the {shards_most} rows of a batch"
        raise ConfigError([Problem("training.shards", reason)])
    return _Training(config, rows, validation_rows, seed, is_masked).plan()


class _Training:
    """Builds the programs of one run over one set of leaves."""

    def __init__(
        self, config: NetworkConfig, rows: int, validation_rows: int, seed: int, is_masked: bool
    ) -> None:
        self.config, self.seed = config, seed
        self.objective = objective_of(config)
        self.weights = block("weights", self.objective.parameters)
        self.columns = columns_of(config.data)
        self.data = stored(config.data, "train", rows)
        self.validation_rows = validation_rows
        if validation_rows:
            self.data |= stored(config.data, "validation", validation_rows)
        self.shards, self.steps = config.training.shards, steps_per_epoch(config, rows)
        self.rows = batch_rows(config, rows) // self.shards
        self.training: list[Sums] = []
        self.halves: list[shards.Phase] = []
        slopes = block("gradients", self.objective.parameters)
        self.moves = Moves(config, seed, self.weights, slopes, self.steps, is_masked=is_masked)

    def plan(self) -> TrainingPlan:
        programs = {"initialise": self.initialise(), **self.steps_of_training()}
        if self.columns:
            programs |= {"measure": self.measure()}
        evaluations = self.evaluations()
        for number, (name, measured) in enumerate(evaluations.items()):
            first = self.validation_rows - measured.rows_per_step if number else 0
            programs[name] = self.evaluation(measured, first)
        return TrainingPlan(
            plan=compile_programs(programs),
            objective=self.objective,
            weights=self.weights,
            moves=self.moves,
            data=self.data,
            columns=self.columns,
            training=self.training,
            phases=self.halves,
            shards=self.shards,
            evaluations=evaluations,
        )

    def measure(self) -> Program:
        roots = []
        for name, columns in self.columns.items():
            of = self.data["train_rows" if name == "input" else "train_targets"]
            width = columns.mean.elements
            table = view(of, 0, (of.elements // width, width), f"{name}_table")
            roots.append(ops.apply("measure_columns", table, columns.mean, columns.scale))
        return Program(roots)

    def initialise(self) -> Program:
        """Weights uniform within their bounds. What starts at zero is left as fresh memory is."""
        into = {}
        for number, (place, bound, center) in enumerate(self.starts()):
            if bound or center:
                draws = {"bound": bound, "center": center}
                draws |= stream(self.seed, Purpose.WEIGHTS + number)
                size = {"count": place.elements}
                into[ops.apply("uniform", sizes=size, attributes=draws)] = place
        return Program(list(into), into)

    def starts(self) -> Iterator[tuple[Node, float, float]]:
        """Where each parameter, or part of one, lies; its bound and its center."""
        for parameter in self.objective.parameters:
            whole, centers = self.weights.parts[parameter.name], parameter.centers
            size, offset = whole.elements // len(centers), int(whole.attributes["offset"])
            for number, center in enumerate(centers):
                at = offset + number * size
                yield view(whole.sources[0], at, (size,), parameter.name), parameter.bound, center

    # ------------------------------------------------------------------------------ one step

    def steps_of_training(self) -> dict[str, Program]:
        """One program, or two for each phase where batches are cut into shards."""
        shuffle, begin = self.shuffle(), self.moves.begin()
        chance = Chance(self.seed, Purpose.DROPOUT)
        phases = self.objective.phases(self.batch(), self.weights.parts, chance)
        found = [self.phase(number, phase) for number, phase in enumerate(phases)]
        if self.shards == 1:
            into = {node: place for slopes, _ in found for node, place in slopes.into.items()}
            roots = [root for slopes, move in found for root in (*slopes.roots, *move)]
            return {"train": Program([shuffle, *begin, *roots], into)}
        programs: dict[str, Program] = {}
        for number, (slopes, move) in enumerate(found):
            names = f"slopes{number}", f"move{number}"
            programs[names[0]] = Program([shuffle, *slopes.roots], slopes.into)
            programs[names[1]] = Program([*begin, *move] if number == 0 else move)
            gradients = self.weights.span(phases[number].trains, self.moves.slopes.whole)
            self.halves.append(shards.Phase(*names, gradients))
        return programs

    def phase(self, number: int, phase: Phase) -> tuple[Program, list[Node]]:
        """The gradients of a phase and what moves by them. A loss is recorded before anything is
        moved by it; the second phase judges what the first has moved already.
        """
        measured = sums(f"train{number or ''}", self.rows, self.steps * self.shards)
        self.training.append(measured)
        record = ops.apply("record", phase.loss, measured.losses, measured.corrects)
        found = self.slopes(phase)
        return Program([record, *found], found), self.moves.of(phase.trains)

    def shuffle(self) -> Node:
        rows = (self.data["train_rows"].shape or (0,))[:1]
        self.order = leaf("order", rows, "u4")
        attributes = self._per_epoch() | stream(self.seed, Purpose.SHUFFLE)
        return ops.apply(
            "shuffle", self.order, leaf("order_tag", (1,), "u4"), attributes=attributes
        )

    def batch(self) -> Batch:
        parts = {
            name.removeprefix("train_"): ops.apply(
                "gather", node, self.order, sizes={"b": self.rows}, attributes=self._per_epoch()
            )
            for name, node in self.data.items()
            if name.startswith("train_")
        }
        parts["rows"] = self._augmented(parts["rows"])
        batch, divergent = self._batch(parts, self.rows), self.config.divergent
        if divergent is None or divergent.pattern != "associative":
            return batch
        return self._mixed(batch, divergent.factor)

    def _augmented(self, rows: Node) -> Node:
        """Rows (b, features) that are pictures, as the settings ask for them."""
        asked = self.config.training.augmentation
        if asked == Augmentation():
            return rows
        attributes = vars(asked) | {"flip": int(asked.flip)}
        attributes |= stream(self.seed, Purpose.AUGMENTATION)
        pictures = reshape(rows, (self.rows, *self.config.data.input))
        return reshape(ops.apply("augment", pictures, attributes=attributes), rows.shape or ())

    def _mixed(self, batch: Batch, factor: float) -> Batch:
        """Each example with a partner; of classes shares are left."""
        mix = partial(associative.mixed, rows=self.rows, factor=factor, seed=self.seed)
        if batch.targets.dtype == "f4":
            return replace(batch, rows=mix(batch.rows), targets=mix(batch.targets))
        labels = reshape(batch.targets, (batch.targets.elements, 1))
        shares = mix(associative.shares_of(labels, self.config.data.size))
        return replace(batch, rows=mix(batch.rows), shares=shares)

    def slopes(self, phase: Phase) -> dict[Node, Node]:
        """The gradients of a phase, and where they go."""
        trained = {n: p for n, p in self.weights.parts.items() if n.startswith(phase.trains)}
        found = gradients(phase.loss, trained.values())
        return {found[part]: self.moves.slopes.parts[name] for name, part in trained.items()}

    def _per_epoch(self) -> dict[str, Number]:
        return {"steps_per_epoch": self.steps * self.shards}

    def _batch(self, parts: Mapping[str, Node], rows: int) -> Batch:
        x = reshape(parts["rows"], (rows, *self.config.data.input))
        targets = parts["targets"]
        if "input" in self.columns:
            x = standardised(x, self.columns["input"].mean, self.columns["input"].scale)
        if "target" in self.columns:
            of = self.columns["target"]
            targets = standardised(targets, of.mean, of.scale)
        return Batch(x, targets, parts.get("rewards"))

    # ---------------------------------------------------------------------------- measurements

    def evaluations(self) -> dict[str, Sums]:
        """Blocks of rows, so many that one step of them is soon done, and what is left over."""
        if not self.validation_rows:
            return {}
        fitting = max(1, EVALUATION_WORK // self._work_of_one())
        block_rows = min(EVALUATION_ROWS, self.validation_rows, fitting)
        whole, rest = divmod(self.validation_rows, block_rows)
        found = {"evaluate": sums("evaluate", block_rows, whole)} if whole else {}
        return found | ({"evaluate_rest": sums("evaluate_rest", rest, 1)} if rest else {})

    def _work_of_one(self) -> int:
        """Of measuring one row: its arithmetic, and what it touches."""
        width, dtype = self.config.data.target_columns
        rows = leaf("row", (1, self.config.data.features), self.config.data.dtype)
        parts = {"rows": rows, "targets": leaf("target", (1, width), dtype)}
        parts |= {"rewards": leaf("reward", (1, 1))}
        chance = Chance(self.seed, Purpose.EVALUATION)
        loss = self.objective.measure(self._batch(parts, 1), self.weights.parts, chance)
        nodes = [node for node in in_order([loss]) if not is_memory(node)]
        return sum(ops.flops(node) + TOUCH_WORK * node.elements for node in nodes)

    def evaluation(self, measured: Sums, first: int) -> Program:
        """Measure blocks of validation rows from row `first` on."""
        parts = {
            name.removeprefix("validation_"): ops.apply(
                "take_rows",
                node,
                sizes={"b": measured.rows_per_step},
                attributes={"first": first},
            )
            for name, node in self.data.items()
            if name.startswith("validation_")
        }
        batch = self._batch(parts, measured.rows_per_step)
        chance = Chance(self.seed, Purpose.EVALUATION)
        loss = self.objective.measure(batch, self.weights.parts, chance)
        return Program([ops.apply("record", loss, measured.losses, measured.corrects)])
