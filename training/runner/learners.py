"""Learners: what trains the network of a job, made from its row and its dataset's rows, and how
what one leaves behind is stored.

A learner runs for some seconds at a time and yields the metrics of each epoch as it ends; its
checkpoint restores it to the bit; at the end it exports a model file. It is
`kernels.trainer.Trainer` where rows are given, `training.runner.players.Player` where they are
played.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

from kernels import build, modelfile, trainer
from kernels import config as kernel_config
from kernels.data import TrainingData
from kernels.limits import Limits
from kernels.modelfile import Signature
from kernels.trainer import EpochMetrics
from training.models import Job, Tier
from training.runner import blobs, leases
from training.runner.environments import is_environment
from training.runner.players import Player
from training.runner.rows import Part, Rows, unpack
from training.runner.tiers import TIERS
from training.runner.usual import learns_of, usual_rows


class Learner(Protocol):
    """What a chunk asks of a run; the same calls give the same bits, however they are cut."""

    step: int

    @property
    def is_over(self) -> bool:
        """Whether the last step is done, or no more of them would help."""

    def run(
        self, *, seconds: float | None = None, on_progress: Callable[[int], bool] | None = None
    ) -> Iterator[EpochMetrics]:
        """Train on for about so long, and yield the metrics of each epoch as it ends."""

    def begin_from(self, model: modelfile.Model) -> list[str]:
        """Begin at what fits of a model; the names of the weights that do not. Raises DataError."""

    def checkpoint(self) -> bytes:
        """All that is needed to go on from here."""

    def restore(self, blob: bytes) -> None:
        """Go on from a checkpoint. Raises CheckpointRefused."""

    def export(self, signature: Signature, origin: dict[str, Any]) -> bytes:
        """The model file."""


def maker_of(job: Job, module: build.Module) -> Callable[[], Learner]:
    """Makes fresh learners for a job, from drawn weights; its rows are read once, unless they are
    played.
    """
    if is_environment(job.dataset):
        return lambda: make_player(job, module=module)
    rows = rows_of(job)
    train = rows.only(Part.TRAIN)
    return lambda: make_trainer(job, train, rows, seed=job.seed, module=module)


def current_module(job: Job, variant: build.Variant = "simd") -> build.Module:
    """The module that computes as the job's first one did: this worker's, or one that is kept."""
    if not job.kernel_hash:
        return build.module(variant)
    try:
        return build.module_of(job.kernel_hash, variant)
    except build.ModuleUnknown as error:
        raise leases.WorkFault(
            "kernel_changed",
            f"This job began on a kernel that is gone: {error}. Another would give other bits; "
            "start it again.",
        ) from error


def store(job: Job, content: bytes) -> str:
    """Before the transaction that names it: a large file is written for longer than anybody should
    wait for the job's row, and while it is, the lease is renewed for all to see.
    """
    leases.renew(job)
    return blobs.put(content, beat=partial(leases.renew, job))


def rows_of(job: Job) -> Rows:
    """What the job has to do with: all rows, or where a class of them is usual an autoencoder's."""
    return usual_rows(unpack(blobs.get(job.dataset.sha256)), learns_of(job))


def make_player(job: Job, *, module: build.Module) -> Player:
    """A fresh run in the dataset's environment."""
    return Player(
        kernel_config.parse(job.config, job.dataset.data_shape),
        seed=job.seed,
        module=module,
        limits=Limits(memory_bytes=TIERS[Tier(job.tier)].memory_bytes),
    )


def make_trainer(
    job: Job, train: Rows, rows: Rows, *, seed: int, module: build.Module
) -> trainer.Trainer:
    """A fresh run on the rows of `train`, validated on the validation part of `rows`."""
    validation = rows.only(Part.VALIDATION)
    config = kernel_config.parse(job.config, job.dataset.data_shape)
    return trainer.Trainer(
        config,
        TrainingData(
            train_rows=train.features,
            train_targets=train.targets,
            validation_rows=validation.features,
            validation_targets=validation.targets,
        ),
        seed=seed,
        limits=Limits(memory_bytes=TIERS[Tier(job.tier)].memory_bytes),
        module=module,
    )
