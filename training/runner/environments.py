"""What a network that acts is trained on: how much it plays between epochs, and what that costs.

One epoch of a job is one iteration: the policy plays POLES episodes side by side for as many pushes
as an episode may have, begins anew where one ends, and takes one pass of gradient steps over what
it played; then it plays VALIDATION_EPISODES greedily. The numbers stand here and not in a person's
configuration, so that the curves of all jobs compare. Importable by the web process: nothing is
played here.
"""

from kernels.config import ConfigError, NetworkConfig
from kernels.fields import Problem
from kernels.patterns import EPOCH_ENDS
from training.models import Dataset
from training.runner import cartpole

CARTPOLE = "CartPole-v1"
NOT_ACTING = ("autoencoder", "gan")
METRIC = "mean_return"
POLES = 16
ROWS = POLES * cartpole.STEPS_MOST  # that an iteration plays and trains on
VALIDATION_EPISODES = 20
# The network is asked once for each push: as many rows, as if they were measured.
ROWS_ASKED = ROWS + VALIDATION_EPISODES * cartpole.STEPS_MOST
VALIDATION_SEED = 0  # the episodes from this seed on; those that a model is judged by lie elsewhere
DISCOUNT = 0.99
# What a push of all poles takes beside the network, as operations at the nominal speed: 0.1 ms.
STEP_FLOPS = 400_000


def is_environment(dataset: Dataset) -> bool:
    return bool(dataset.recipe.get("kind") == "environment")


def refuse_unplayable(config: NetworkConfig, dataset: Dataset) -> None:
    """ConfigError unless this network can be trained by playing the dataset's environment."""
    training, divergent, kind = config.training, config.divergent, config.architecture.kind
    name, pattern = dataset.recipe.get("environment"), divergent.pattern if divergent else ""
    nothing = "an environment has no validation rows to have a loss on; leave it out"
    is_wrong = {
        ("dataset", f"{name!r} is not played here; take {CARTPOLE}"): name != CARTPOLE,
        ("architecture.type", f"'{kind}' does not act; take 'feedforward'"): kind in NOT_ACTING,
        (
            "training.loss",
            f"'{training.loss}' is not how networks learn to act here; take 'reinforce'",
        ): training.loss != "reinforce" and kind not in NOT_ACTING,
        ("training.patience", nothing): bool(training.patience),
        ("training.schedule.kind", nothing): training.schedule.kind == "plateau",
        ("divergent.pattern", f"'{pattern}' chooses by a loss, and {nothing}"): pattern
        in EPOCH_ENDS,
    }
    problems = [Problem(path, reason) for (path, reason), wrong in is_wrong.items() if wrong]
    if problems:
        raise ConfigError(problems)


def playing_flops(config: NetworkConfig) -> int:
    """What the pushes of a whole training take beside the network."""
    return 2 * cartpole.STEPS_MOST * config.training.epochs * STEP_FLOPS
