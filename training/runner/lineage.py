"""What a fine-tuned network takes over from its parent: weights of the same name and shape.

A shape does not say what a weight is of: the vector of a word lies where another vocabulary has
another word. So names are compared, too, wherever there are as many of them.
"""

from dataclasses import dataclass

from kernels.config import NetworkConfig
from kernels.objectives import objective_of
from training.models import Dataset

WAYS_OUT = {
    "word": "correct the schema to the parent's vocabulary (recipe.vocabulary)",
    "feature": "bring the columns in the parent's order, with its values (recipe.columns)",
    "answer": "state the parent's classes in its order (recipe.columns), or take another number",
}


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


def misreading(before: Dataset, now: Dataset) -> str | None:
    """Why weights of `before` would be taken for those of something else in `now`, and what to do;
    None where each name stands where it stood, or where shapes differ and are drawn anew.
    """
    names = {
        "word": (before.recipe.get("vocabulary", []), now.recipe.get("vocabulary", [])),
        "feature": (before.features, now.features),
        "answer": (before.classes, now.classes),
    }
    for kind, (old, new) in names.items():
        others = [(was, found) for was, found in zip(old, new, strict=False) if was != found]
        if len(old) != len(new) or not others or (kind == "answer" and len(old) == 1):
            continue
        was, found = others[0]
        return (
            f"{len(others):,} of its {len(new):,} {kind}s are not those of “{before.name}”, "
            f"such as “{found}” instead of “{was}”, and their weights would be taken for one "
            f"another; {WAYS_OUT[kind]}, or train from the beginning"
        )
    return None
