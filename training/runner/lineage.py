"""What a fine-tuned network takes over from its parent: weights of the same name and shape.

A shape does not say what a weight is of: the vector of a word lies where another vocabulary has
another word. So names are compared, too.
"""

from dataclasses import dataclass

from kernels.config import NetworkConfig
from kernels.objectives import objective_of
from training.models import Dataset
from training.runner.recipes import Form, Recipe

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
    None where each name stands where it stood, or where shapes differ and are drawn anew. A table
    of words may have room for more than there are, so its shape says nothing of how many.
    """
    names = {
        "word": (before.recipe.get("vocabulary", []), now.recipe.get("vocabulary", [])),
        "feature": (names_of_a_step(before), names_of_a_step(now)),
        "answer": (before.classes, now.classes),
    }
    for kind, (old, new) in names.items():
        others = [(was, found) for was, found in zip(old, new, strict=False) if was != found]
        is_drawn_anew = kind != "word" and len(old) != len(new)
        if is_drawn_anew or not others or (kind == "answer" and len(old) == 1):
            continue
        was, found = others[0]
        return (
            f"{len(others):,} of its {len(new):,} {kind}s are not those of “{before.name}”, "
            f"such as “{found}” instead of “{was}”, and their weights would be taken for one "
            f"another; {WAYS_OUT[kind]}, or train from the beginning"
        )
    return None


def names_of_a_step(dataset: Dataset) -> list[str]:
    """Of a series the columns, whatever its window: networks may read it step by step."""
    recipe = Recipe.from_json(dataset.recipe) if dataset.recipe else None
    if recipe is None or recipe.kind is not Form.SERIES:
        return list(dataset.features)
    return [name for column in recipe.inputs for name in column.feature_names]
