"""The learner of environments: it plays, and trains its policy on what it played, by REINFORCE.

An epoch is one iteration (`environments` says of how much). Between iterations the weights, the
moments and the step are all there is to remember: what is played next follows from them and from
the seed. So a run stops between iterations only, its checkpoint is the trainer's, and it may be cut
and restored anywhere to the same bits.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from kernels.build import Module
from kernels.checkpoints import CheckpointRefused
from kernels.config import NetworkConfig
from kernels.limits import Limits
from kernels.modelfile import Model, Signature
from kernels.predictor import Predictor, RowsRefused
from kernels.trainer import EpochMetrics, NonFinite, Trainer
from training.runner import cartpole, environments
from training.runner.episodes import evaluate, play, rows_of, spread_rows

Progress = Callable[[int], bool]
UNNAMED = Signature((), ())


class Player:
    """A policy that learns to keep a pole upright. Metrics are mean returns: of what was played by
    lot, and of greedy episodes that begin alike in every iteration.
    """

    def __init__(self, config: NetworkConfig, *, seed: int, module: Module, limits: Limits) -> None:
        self._module, self._limits = module, limits
        self.trainer = Trainer(config, spread_rows(), seed=seed, module=module, limits=limits)
        self.step = 0
        self.steps_total = self.trainer.steps_total
        self.parameters = self.trainer.parameters

    @property
    def is_over(self) -> bool:
        return self.trainer.is_over

    def run(
        self, *, seconds: float | None = None, on_progress: Progress | None = None
    ) -> Iterator[EpochMetrics]:
        """Play and train, and yield the metrics of each iteration as it ends.

        Stops, between iterations, after about `seconds` or when `on_progress(step)` answers False.
        Raises NonFinite, and SandboxError when a limit is reached.
        """
        stop_at = None if seconds is None else time.monotonic() + seconds
        is_asked_to_stop = False

        def tell(step: int) -> bool:
            nonlocal is_asked_to_stop
            if on_progress is not None and not on_progress(step):
                is_asked_to_stop = True
            return True  # an iteration is not left half-way

        while not self.is_over:
            yield self._iterate(tell)
            if is_asked_to_stop or (stop_at is not None and time.monotonic() >= stop_at):
                return

    def _iterate(self, tell: Progress) -> EpochMetrics:
        step = self.trainer.step
        try:
            played = play(
                self._predictor(),
                seed=self.trainer.seed,
                iteration=self.trainer.epoch,
                beat=lambda: tell(step),
            )
            self.trainer.replace_rows(rows_of(played))
            (point,) = self.trainer.run(steps=self.trainer.steps_per_epoch, on_progress=tell)
            self.step = self.trainer.step
            returns = evaluate(
                self._predictor(),
                episodes=environments.VALIDATION_EPISODES,
                seed=environments.VALIDATION_SEED,
                beat=lambda: tell(self.step),
            )
        except RowsRefused as error:
            raise NonFinite(self.trainer.step, "an answer of the policy") from error
        return replace(
            point,
            train_metric=played.mean_return,
            validation_metric=int(returns.sum()) / len(returns),
            metric=environments.METRIC,
        )

    def _predictor(self) -> Predictor:
        """The policy as it is now."""
        model = self.trainer.export(UNNAMED, {})
        return Predictor(model, module=self._module, limits=self._limits)

    def begin_from(self, model: Model) -> list[str]:
        """Begin at what fits of a model; the names of the weights that do not. Raises DataError."""
        return self.trainer.begin_from(model)

    def checkpoint(self) -> bytes:
        return self.trainer.checkpoint()

    def restore(self, blob: bytes) -> None:
        """Raises CheckpointRefused, or ModelRefused where the bytes are no safetensors."""
        self.trainer.restore(blob)
        if self.trainer.step % self.trainer.steps_per_epoch:
            reason = f"must be the end of an iteration, not {self.trainer.step}"
            raise CheckpointRefused(f"step: {reason}")
        self.step = self.trainer.step

    def export(self, signature: Signature, origin: dict[str, Any]) -> bytes:
        """The model file. Its provenance names the environment instead of rows."""
        environment = {
            "name": environments.CARTPOLE,
            "poles": environments.POLES,
            "pushes": cartpole.STEPS_MOST,
            "discount": environments.DISCOUNT,
        }
        return self.trainer.export(signature, origin | {"environment": environment})
