"""What networks are trained for, one module a kind."""

from kernels.config import NetworkConfig
from kernels.objectives.objective import Batch, Objective, Phase
from kernels.objectives.supervised import Classification

__all__ = ["Batch", "Objective", "Phase", "objective_of"]


def objective_of(config: NetworkConfig) -> Objective:
    """The objective that a configuration means."""
    return Classification(config)
