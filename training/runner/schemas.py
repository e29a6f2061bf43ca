"""What a file's columns are, what is asked, and how to split it: a first guess, for people to mend.

Looks at all rows, but only to say what a column is; what a network is given (the values of a
category, what stands in for a missing number, a vocabulary) is measured on training rows alone, in
`completion`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.runner.readers.content import Arrays, Content, Pictures, Table, Text
from training.runner.recipes import Column, Form, Kind, Recipe, Role, Split, SplitKind
from training.runner.recipes.columns import DECIMAL, LARGEST, read_days
from training.runner.tokenizers import words

# In this order: the first that a table has is what it asks for.
TARGET_NAMES = ("target", "label", "labels", "class", "y", "species", "outcome", "diagnosis")
ID_NAMES = ("id", "index", "row", "row_id", "uid", "uuid", "unnamed: 0")
CATEGORY_VALUES_MAX = 50
CLASSES_NAMED_MAX = 200  # of a column that is called a target
CLASSES_OF_NUMBERS_MAX = 20  # whole numbers so few are taken for classes
DATES_TRIED = 100
SERIES_ROWS_MIN = 20
TEXT_STEPS = (8, 128)
CHARACTERS_STEPS = 64
# Days between two rows, and how many rows a season has.
SEASONS = (
    (0.03, 0.05, 24),
    (0.9, 1.1, 7),
    (6.5, 7.5, 52),
    (27, 32, 12),
    (88, 93, 4),
)


def infer(content: Content) -> tuple[Recipe, Split]:
    """A recipe without values, fills and vocabulary, and a split."""
    match content:
        case Table(frame):
            recipe = recipe_of_table(frame)
        case Pictures():
            recipe = recipe_of_pictures(content)
        case Arrays(features, targets):
            recipe = recipe_of_arrays(features, targets)
        case Text():
            column = Column("text", Kind.TEXT)
            recipe = Recipe(Form.TEXT, (column,), tokenizer="characters", steps=CHARACTERS_STEPS)
    return recipe, split_of(recipe)


def split_of(recipe: Recipe) -> Split:
    """By time where there is one, else every class alike where there are classes."""
    times = recipe.of_role(Role.TIME)
    if recipe.kind is Form.SERIES:
        return Split(SplitKind.TIME, column=times[0].name if times else "")
    groups = recipe.of_role(Role.GROUP)
    if groups:
        return Split(SplitKind.GROUP, column=groups[0].name)
    if recipe.targets and recipe.targets[0].kind is Kind.CATEGORY:
        return Split(SplitKind.STRATIFIED)
    is_running_text = recipe.kind is Form.TEXT and not recipe.targets
    return Split(SplitKind.TIME if is_running_text else SplitKind.RANDOM)


def category_of(recipe: Recipe) -> str:
    """What is asked, as `training.models.Category` says it."""
    by_form = {Form.SERIES: "timeseries", Form.TEXT: "nlp", Form.IMAGES: "vision"}
    if recipe.kind in by_form:
        return by_form[recipe.kind]
    if not recipe.targets:
        return "generative"
    return "classification" if recipe.targets[0].kind is Kind.CATEGORY else "regression"


# Tables


def recipe_of_table(frame: pl.DataFrame) -> Recipe:
    columns = with_named_classes([column_of(frame[name]) for name in frame.columns], frame)
    targets = targets_of(columns)
    columns = [
        as_target(column, frame[column.name]) if column.name in targets else column
        for column in columns
    ]
    return as_series(columns, frame) or as_text(columns, frame) or as_table(columns)


def column_of(values: pl.Series) -> Column:
    """What a column is; ignored where it tells nothing, or only which row it is."""
    name, there = values.name, values.drop_nulls()
    kind = kind_of(there)
    is_number_of_row = name.lower() in ID_NAMES and there.n_unique() == len(values)
    if not len(there) or is_number_of_row:
        return Column(name, kind, Role.IGNORED)
    return Column(name, kind)


def with_named_classes(columns: Sequence[Column], frame: pl.DataFrame) -> list[Column]:
    """The same, where the first that has the name of a target holds classes, though there be many:
    else it would be taken for a text, and something else would be asked for.
    """
    named = {column.name.lower(): column for column in columns if column.role is Role.FEATURE}
    first = next((named[name] for name in TARGET_NAMES if name in named), None)
    if first is None or first.kind is not Kind.TEXT:
        return list(columns)
    there = frame[first.name].drop_nulls()
    if there.n_unique() > min(CLASSES_NAMED_MAX, len(there) // 2):
        return list(columns)
    return [replace(each, kind=Kind.CATEGORY) if each is first else each for each in columns]


def kind_of(there: pl.Series) -> Kind:
    """`there` are the values that are not missing."""
    if there.dtype == pl.Float64:
        return Kind.NUMBER
    if is_numbers(there):
        return Kind.NUMBER
    if is_dates(there):
        return Kind.DATE
    unique = there.n_unique()
    if unique <= CATEGORY_VALUES_MAX and unique <= max(len(there) // 2, 2):
        return Kind.CATEGORY
    return Kind.TEXT


def is_numbers(texts: pl.Series) -> bool:
    if not len(texts) or not texts.str.contains(f"^(?:{DECIMAL.pattern})$").all():
        return False
    found = texts.cast(pl.Float64, strict=False)
    return found.null_count() == 0 and bool((found.abs() <= LARGEST).all())


def is_dates(texts: pl.Series) -> bool:
    if not len(texts):
        return False
    for part in (texts.head(DATES_TRIED), texts):
        try:
            for text in part.unique():
                read_days(text)
        except (ValueError, OverflowError):
            return False
    return True


def targets_of(columns: Sequence[Column]) -> list[str]:
    """What is asked for: a column with the name of one, or those numbered as of several, else the
    last that can be.
    """
    able = [
        column.name
        for column in columns
        if column.role is Role.FEATURE and column.kind in (Kind.NUMBER, Kind.CATEGORY)
    ]
    by_name = {name.lower(): name for name in able}
    for name in TARGET_NAMES:
        if name in by_name:
            return [by_name[name]]
    numbered = [name for name in able if re.fullmatch(r"target\d+", name)]
    return numbered or able[-1:]


def as_target(column: Column, values: pl.Series) -> Column:
    """A category where it is one, or numbers that are the numbers of classes."""
    found = replace(column, role=Role.TARGET)
    if column.kind is not Kind.NUMBER:
        return found
    numbers = values.drop_nulls().cast(pl.Float64)
    unique = numbers.unique()
    is_few = len(unique) <= CLASSES_OF_NUMBERS_MAX and len(unique) <= max(len(numbers) // 4, 2)
    is_whole = bool((unique == unique.floor()).all())
    if is_few and is_whole and (len(unique) <= 2 or column.name.lower() in TARGET_NAMES):
        return replace(found, kind=Kind.CATEGORY)
    return found


def as_table(columns: Sequence[Column]) -> Recipe:
    """Every column that can be a feature is one. A column that is all there is is no target."""
    found = [
        replace(column, role=Role.IGNORED)
        if column.role is Role.FEATURE and column.kind is Kind.TEXT
        else column
        for column in columns
    ]
    recipe = Recipe(Form.TABLE, tuple(found))
    if recipe.features:
        return recipe
    return Recipe(
        Form.TABLE,
        tuple(
            replace(column, role=Role.FEATURE) if column.role is Role.TARGET else column
            for column in found
        ),
    )


def as_series(columns: Sequence[Column], frame: pl.DataFrame) -> Recipe | None:
    """A series where rows are told apart by their time, or by that and a category, or there is one
    column of numbers; and a number is asked for.
    """
    targets = [column for column in columns if column.role is Role.TARGET]
    dates = [column for column in columns if column.kind is Kind.DATE]
    if frame.height < SERIES_ROWS_MIN or [each.kind for each in targets] != [Kind.NUMBER]:
        return None
    if not dates:
        others = [column for column in columns if column.role is not Role.IGNORED]
        return None if len(others) > 1 else series_recipe(columns, frame.height, None)
    days = [read_days(value) for value in frame[dates[0].name].drop_nulls()]
    times = np.unique(days)
    group = None if len(times) == frame.height else group_of(columns, frame, dates[0])
    steps = frame.height // (frame[group.name].n_unique() if group else 1)
    if (
        len(days) < frame.height
        or steps < SERIES_ROWS_MIN
        or (group is None and len(times) < steps)
    ):
        return None
    roles = {dates[0].name: Role.TIME} | ({group.name: Role.GROUP} if group else {})
    roles |= {
        column.name: Role.IGNORED
        for column in columns
        if column.role is Role.FEATURE
        and column.kind is not Kind.NUMBER
        and column.name not in roles
    }
    found = [replace(column, role=roles.get(column.name, column.role)) for column in columns]
    return series_recipe(found, steps, float(np.median(np.diff(times))))


def group_of(columns: Sequence[Column], frame: pl.DataFrame, time: Column) -> Column | None:
    """What tells several series of one table apart: each of its values has a time once."""
    for column in columns:
        is_one = column.kind is Kind.CATEGORY and column.role is Role.FEATURE
        if is_one and not frame.select(time.name, column.name).is_duplicated().any():
            return column
    return None


def series_recipe(columns: Sequence[Column], rows: int, step_days: float | None) -> Recipe:
    """Windows of two seasons, to foretell one; fewer where the parts have fewer steps."""
    season = 1
    for low, high, size in SEASONS:
        if step_days is not None and low <= step_days <= high:
            season = size
    room = max(int(rows * Split().test) // 2, 2)
    horizon = min(season, max(room // 3, 1))
    window = min(max(2 * season, 12), max(room - horizon, 1))
    return Recipe(
        Form.SERIES,
        tuple(columns),
        window=window,
        horizon=horizon,
        season=season if season <= window else 1,
    )


def as_text(columns: Sequence[Column], frame: pl.DataFrame) -> Recipe | None:
    """A text where there is nothing else to go by."""
    features = [column for column in columns if column.role is Role.FEATURE]
    texts = [column for column in features if column.kind is Kind.TEXT]
    if not texts or len(texts) < len(features):
        return None
    longest = max(texts, key=lambda column: frame[column.name].str.len_chars().mean() or 0)
    found = [
        replace(column, role=Role.IGNORED)
        if column.role is Role.FEATURE and column is not longest
        else column
        for column in columns
    ]
    lengths = [len(words(text)) for text in frame[longest.name].drop_nulls()]
    low, high = TEXT_STEPS
    steps = min(max(int(np.quantile(lengths, 0.95)), low), high)
    return Recipe(Form.TEXT, tuple(found), tokenizer="words", steps=steps)


# What is no table


def recipe_of_pictures(pictures: Pictures) -> Recipe:
    _, height, width, channels = pictures.pixels.shape
    return Recipe(
        Form.IMAGES,
        (Column("picture", Kind.IMAGE), Column("class", Kind.CATEGORY, Role.TARGET)),
        height=height,
        width=width,
        channels=channels,
        white=1.0,
    )


def recipe_of_arrays(features: NDArray[np.generic], targets: NDArray[np.generic] | None) -> Recipe:
    """Pictures where the numbers are bytes that lie like one, else arrays as they are."""
    sides = tuple(map(int, features.shape[1:]))
    columns = target_columns(targets)
    is_picture = len(sides) == 2 or (len(sides) == 3 and sides[2] in (1, 3))
    if features.dtype == np.uint8 and is_picture and max(sides[:2]) <= 256:
        channels = sides[2] if len(sides) == 3 else 1
        return Recipe(
            Form.IMAGES,
            (Column("picture", Kind.IMAGE), *columns),
            height=sides[0],
            width=sides[1],
            channels=channels,
            white=255.0,
        )
    return Recipe(Form.ARRAYS, (Column("features", Kind.NUMBER), *columns), sides=sides)


def target_columns(targets: NDArray[np.generic] | None) -> list[Column]:
    if targets is None:
        return []
    if targets.ndim == 2 and targets.shape[1] > 1:
        return [
            Column(f"target{number}", Kind.NUMBER, Role.TARGET)
            for number in range(1, targets.shape[1] + 1)
        ]
    flat = targets.ravel()
    unique = np.unique(flat)
    is_classes = flat.dtype.kind in "Ub" or (
        len(unique) <= CATEGORY_VALUES_MAX
        and len(unique) <= max(len(flat) // 2, 2)
        and bool((unique == np.floor(unique)).all())
    )
    return [Column("target", Kind.CATEGORY if is_classes else Kind.NUMBER, Role.TARGET)]
