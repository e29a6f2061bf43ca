"""What networks are trained for, one module a kind."""

from kernels.config import NetworkConfig
from kernels.data import Target
from kernels.objectives.adversaries import Adversaries
from kernels.objectives.marking import Marking
from kernels.objectives.objective import Batch, Objective, Phase
from kernels.objectives.policy import Policy
from kernels.objectives.reconstruction import Reconstruction
from kernels.objectives.regression import Regression
from kernels.objectives.supervised import Classification

BY_KIND: dict[str, type[Objective]] = {"autoencoder": Reconstruction, "gan": Adversaries}
BY_TARGET: dict[Target, type[Objective]] = {
    Target.VALUES: Regression,
    Target.MARKS: Marking,
    Target.ACTIONS: Policy,
}

__all__ = ["Batch", "Objective", "Phase", "objective_of"]


def objective_of(config: NetworkConfig) -> Objective:
    """The objective that a configuration means."""
    kind, target = config.architecture.kind, config.data.target
    if kind in BY_KIND:
        return BY_KIND[kind](config)
    return BY_TARGET.get(target, Classification)(config)
