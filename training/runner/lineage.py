"""What a fine-tuned network takes over from its parent: weights of the same name and shape."""

from dataclasses import dataclass

from kernels.config import NetworkConfig
from kernels.objectives import objective_of


@dataclass(frozen=True)
class Inheritance:
    """The names of the weights that are taken over, and of those that are drawn anew."""

    taken: tuple[str, ...]
    drawn: tuple[str, ...]

    @property
    def weights(self) -> int:
        return len(self.taken) + len(self.drawn)


def inheritance(parent: NetworkConfig, child: NetworkConfig) -> Inheritance:
    """From the configurations alone, as `Trainer.begin_from` does it with the parent's file: what
    served to train and is not part of the network in use, such as a critic, is not in the file.
    """
    kept = objective_of(parent).answer(1).parameters
    shapes = {name: node.shape for name, node in kept.items()}
    trained = objective_of(child).parameters
    taken = [each.name for each in trained if shapes.get(each.name) == each.shape]
    return Inheritance(tuple(taken), tuple(each.name for each in trained if each.name not in taken))
