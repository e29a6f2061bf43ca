"""How parameters move against their gradient: gathered, regularised, explored, cut, and moved."""

from dataclasses import dataclass, field

from kernels import ops, optimizers, schedules
from kernels.blocks import Block
from kernels.config import NetworkConfig
from kernels.graph import Node, Number, leaf
from kernels.patterns import chaotic, lateral


@dataclass
class Moves:
    """The instructions that end a step, and the memory they keep from step to step.

    `factor` is the host's, one until something speaks against it; `every` says how many batches are
    gathered before parameters move. Where it `is_masked`, parameters stay zero where `mask` is.
    """

    config: NetworkConfig
    seed: int
    weights: Block
    slopes: Block
    steps_per_epoch: int
    rate: Node = field(default_factory=lambda: leaf("learning_rate", (1,)))
    factor: Node = field(default_factory=lambda: leaf("rate_factor", (1,)))
    every: Node = field(default_factory=lambda: leaf("gathered", (1,)))
    waited: Node = field(default_factory=lambda: leaf("waited", (1,)))
    noise: Node = field(default_factory=lambda: leaf("noise", (4,)))
    chaos: Node = field(default_factory=lambda: leaf("chaos", (1,)))
    counted: list[Node] = field(default_factory=list)
    is_masked: bool = False

    def __post_init__(self) -> None:
        shape = self.weights.whole.shape or ()
        self.mask = leaf("mask", shape)
        names = optimizers.MOMENTS[self.config.training.optimizer]
        self.moments = [leaf(name, shape) for name in names]
        self.total = leaf("gathered_gradients", shape)

    @property
    def is_gathering(self) -> bool:
        return self.config.training.dynamic_batch > 1

    @property
    def state(self) -> list[Node]:
        """What must survive a restart."""
        found = [*self.moments, *self.counted, self.factor]
        if self.is_gathering:
            found += [self.total, self.waited, self.every, self.noise]
        return [*found, self.chaos] if self._pattern("chaotic") else found

    def begin(self) -> list[Node]:
        """The learning rate of this step."""
        training, plan = self.config.training, self.config.training.schedule
        roots = [
            schedules.schedule(
                plan.kind,
                self.rate,
                self.factor,
                learning_rate=training.learning_rate,
                steps_total=self._steps_total,
                warmup_steps=plan.warmup_steps,
                every_steps=plan.every_epochs * self.steps_per_epoch,
                decay=plan.factor,
            )
        ]
        if self._pattern("chaotic"):
            roots.append(chaotic.modulate(self.chaos, self.rate, self._factor, self.seed))
        return roots

    def of(self, prefix: str) -> list[Node]:
        """What moves the parameters whose names begin so."""
        p, g, *moments = (
            self.weights.span(prefix, place)
            for place in (self.weights.whole, self.slopes.whole, *self.moments)
        )
        roots: list[Node] = []
        if self.is_gathering:
            roots += self._gather(g)
        self.counted.append(leaf(f"{prefix}optimizer_steps", (1,)))
        training = self.config.training
        moved = optimizers.move(
            training.optimizer,
            p,
            g,
            moments,
            self.rate,
            self.counted[-1],
            momentum=training.momentum,
            nesterov=training.nesterov,
            weight_decay=training.weight_decay,
        )
        roots += [*self._shape(p, g), moved]
        if self.is_masked:
            roots.append(ops.apply("mask", p, self.weights.span(prefix, self.mask)))
        return roots

    def _gather(self, g: Node) -> list[Node]:
        return [
            ops.apply("measure_noise", self.noise, g, self.total, self.waited, self.every),
            ops.apply("accumulate", self.total, g, self.waited, self.every),
            ops.apply("due", self.waited, self.every),
        ]

    def _shape(self, p: Node, g: Node) -> list[Node]:
        """What is done to a gradient before anything moves."""
        training, roots = self.config.training, []
        if training.l1 or training.l2:
            attributes: dict[str, Number] = {"l1": training.l1, "l2": training.l2}
            roots.append(ops.apply("regularise", g, p, attributes=attributes))
        if self._pattern("lateral"):
            number = len(self.counted) - 1  # of the phases, each draws for itself
            roots.append(lateral.explore(g, self._factor, self._steps_total, self.seed, number))
        for name in ("clip_value", "clip_norm"):
            limit = getattr(training, name)
            if limit:
                roots.append(ops.apply(name, g, attributes={"limit": limit}))
        return roots

    def _pattern(self, name: str) -> bool:
        return self.config.divergent is not None and self.config.divergent.pattern == name

    @property
    def _factor(self) -> float:
        return self.config.divergent.factor if self.config.divergent else 0.0

    @property
    def _steps_total(self) -> int:
        return self.steps_per_epoch * self.config.training.epochs
