"""What a network is given and asked: the shape of an example, and the names of its numbers."""

from collections.abc import Sequence

from kernels.data import DataShape, Target
from training.runner.recipes.columns import NAME_LENGTH_MAX, Kind
from training.runner.recipes.recipe import Form, Recipe

NAMED_ELEMENTS_MAX = 4_096  # pixels and steps have names up to here
PRIMARIES = ("red", "green", "blue")


def shape_of(recipe: Recipe, classes: int | None = None) -> DataShape:
    """What an example is, and what is asked of it. `classes` counts them where the recipe does not
    know them yet. Rows without a target are all of one class: such as only a network that
    makes their like takes.
    """
    sides, vocabulary = input_of(recipe), len(recipe.vocabulary)
    if recipe.kind is Form.TEXT and not recipe.targets:
        return DataShape(sides, Target.NEXT, vocabulary, vocabulary)
    if recipe.kind is Form.SERIES:
        return DataShape(sides, Target.VALUES, recipe.horizon * len(recipe.targets))
    if recipe.targets and recipe.targets[0].kind is Kind.NUMBER:
        return DataShape(sides, Target.VALUES, len(recipe.targets), vocabulary)
    target = Target.ACTIONS if recipe.kind is Form.ENVIRONMENT else Target.CLASSES
    size = len(recipe.classes) if classes is None else classes
    return DataShape(sides, target, max(size, 1), vocabulary)


def input_of(recipe: Recipe) -> tuple[int, ...]:
    """The shape of one example."""
    width = sum(len(column.feature_names) for column in recipe.inputs)
    match recipe.kind:
        case Form.SERIES:
            return (recipe.window, width)
        case Form.TEXT:
            return (recipe.steps,)
        case Form.IMAGES:
            return (recipe.height, recipe.width, recipe.channels)
        case Form.ARRAYS | Form.ENVIRONMENT:
            return recipe.sides
    return (width,)


def feature_names(recipe: Recipe) -> tuple[str, ...]:
    """A name for each number of a row, in their order; none for tokens, or for more than
    NAMED_ELEMENTS_MAX.
    """
    columns = [name for column in recipe.inputs for name in column.feature_names]
    sides = input_of(recipe)
    match recipe.kind:
        case Form.TEXT:
            return ()
        case Form.TABLE:
            return short(columns)
        case Form.SERIES:
            back = range(recipe.window - 1, -1, -1)
            found = [f"{name} t-{ago}" if ago else f"{name} t" for ago in back for name in columns]
        case Form.IMAGES:
            found = pixel_names(*sides)
        case _:
            if len(sides) == 1 and len(columns) == sides[0]:
                return short(columns)
            found = [str(number) for number in range(shape_of(recipe).features)]
    return short(found) if len(found) <= NAMED_ELEMENTS_MAX else ()


def pixel_names(height: int, width: int, channels: int) -> list[str]:
    names = [f"pixel_{row}_{column}" for row in range(height) for column in range(width)]
    if channels == 1:
        return names
    layers = PRIMARIES if channels == len(PRIMARIES) else range(channels)
    return [f"{name}_{layer}" for name in names for layer in layers]


def short(names: Sequence[str]) -> tuple[str, ...]:
    """As long as a name may be, and still each one different."""
    return tuple(
        name if len(name) <= NAME_LENGTH_MAX else f"{name[: NAME_LENGTH_MAX - 8]}…{number}"
        for number, name in enumerate(names)
    )
