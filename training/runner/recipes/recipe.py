"""A recipe: how what people write becomes the numbers of a row, and what is asked of them.

It belongs to a dataset and goes into each model that is trained on it (`Signature.recipe`), so that
a prediction takes what the table held: words, dates, "red". As JSON:

    kind        table | series | text | images | arrays | environment
    columns     [{name, kind, role, sensitive, values, missing}]; see `columns`
    series      window, horizon (steps), season (steps; 1 where there is none)
    text        tokenizer: characters | words, steps, vocabulary (`tokenizers`)
    images      height, width, channels (1 grey, 3 red green blue), white: full brightness, 1 or 255
    arrays      sides: the shape of an example
    environment environment: its name, sides: what is observed; the target's values are the actions
    usual       the class of usual rows, which an autoencoder learns from; "" where none is
    unknown     what is answered where no class fits; threshold: the score from which a row is odd

What a network is given and asked follows from it (`shapes`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kernels.fields import Choice, Field, Problem, Reader, Real, Sides, Whole, join, shown
from training.runner.recipes.columns import Column, Kind, Role, name_refusal, read_column
from training.runner.tokenizers import RESERVED, TOKEN_LENGTH_MAX, TOKENIZERS, VOCABULARY_MAX

COLUMNS_MAX = 2_048
FEATURES_MAX = 4_096  # of a table, once categories are many
SIDE_MAX = 256
STEPS_MAX = 1_024
NAMED_MAX = 20  # classes


class RecipeRefused(ValueError):
    """A recipe that cannot be used; each problem names its path and what would be right."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class Form(StrEnum):
    """What an example is."""

    TABLE = "table"
    SERIES = "series"
    TEXT = "text"
    IMAGES = "images"
    ARRAYS = "arrays"
    ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Recipe:
    """What a form does not have is 0 or empty."""

    kind: Form
    columns: tuple[Column, ...] = ()
    window: int = 0
    horizon: int = 0
    season: int = 0
    tokenizer: str = ""
    steps: int = 0
    vocabulary: tuple[str, ...] = ()
    height: int = 0
    width: int = 0
    channels: int = 0
    white: float = 0.0
    sides: tuple[int, ...] = ()
    environment: str = ""
    usual: str | None = None
    unknown: str | None = None
    threshold: float | None = None

    @classmethod
    def from_json(cls, raw: object) -> "Recipe":
        """Raises RecipeRefused with all that is wrong."""
        reader = Reader()
        recipe = read_recipe(raw, reader)
        if reader.problems or recipe is None:
            raise RecipeRefused(reader.problems)
        return recipe

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "kind": self.kind.value,
            "columns": [column.to_json() for column in self.columns],
        }
        for key in (*FIELDS[self.kind], *LISTS.get(self.kind, ())):
            value = getattr(self, key)
            found[key] = list(value) if isinstance(value, tuple) else value
        for key in EVERYWHERE:
            if getattr(self, key) is not None:
                found[key] = getattr(self, key)
        return found

    def of_role(self, role: Role) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role is role)

    @property
    def features(self) -> tuple[Column, ...]:
        return self.of_role(Role.FEATURE)

    @property
    def targets(self) -> tuple[Column, ...]:
        return self.of_role(Role.TARGET)

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that a row to predict has: in a series the past of the target, too."""
        return self.features + self.targets if self.kind is Form.SERIES else self.features

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes or actions; none where numbers are asked for."""
        target = self.targets[0] if self.targets else None
        return target.values if target is not None and target.kind is Kind.CATEGORY else ()

    @property
    def is_repetitive(self) -> bool:
        """Whether rows are alike by nature: windows overlap, and a text says things again."""
        return self.kind is Form.SERIES or (self.kind is Form.TEXT and not self.targets)

    def with_columns(self, columns: Sequence[Column]) -> "Recipe":
        return replace(self, columns=tuple(columns))


# Reading


FIELDS: Mapping[Form, Mapping[str, Field]] = {
    Form.TABLE: {},
    Form.SERIES: {
        "window": Whole(1, STEPS_MAX),
        "horizon": Whole(1, STEPS_MAX),
        "season": Whole(1, 10_000),
    },
    Form.TEXT: {"tokenizer": Choice(list(TOKENIZERS)), "steps": Whole(1, STEPS_MAX)},
    Form.IMAGES: {
        "height": Whole(1, SIDE_MAX),
        "width": Whole(1, SIDE_MAX),
        "channels": Whole(1, 4),
        "white": Real(1, 65_535),
    },
    Form.ARRAYS: {"sides": Sides(1, 3, Whole(1, 65_536))},
    Form.ENVIRONMENT: {"sides": Sides(1, 3, Whole(1, 65_536))},
}
LISTS = {Form.TEXT: ("vocabulary",), Form.ENVIRONMENT: ("environment",)}
OPTIONAL: Mapping[str, Any] = {"season": 1, "white": 1.0}
EVERYWHERE = ("usual", "unknown", "threshold")


def read_recipe(raw: object, reader: Reader) -> Recipe | None:
    form = Choice(list(Form))
    kind = raw.get("kind") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or form.refusal(kind):
        wrong = form.refusal(kind) if isinstance(raw, Mapping) else None
        reader.refuse("recipe.kind" if wrong else "recipe", wrong or f"not {shown(raw)}: an object")
        return None
    kind = Form(str(kind))
    fields, lists = FIELDS[kind], LISTS.get(kind, ())
    required = ["kind", "columns", *(key for key in fields if key not in OPTIONAL)]
    optional = [*OPTIONAL.keys() & fields.keys(), *lists, *EVERYWHERE]
    given = reader.section(raw, "recipe", required, optional)
    found = {key: value for key, value in OPTIONAL.items() if key in fields}
    found |= reader.fields(given, "recipe", fields)
    found |= read_extras(given, reader)
    if "sides" in found:
        found["sides"] = tuple(found["sides"])
    columns = read_columns(given.get("columns", []), reader)
    if reader.problems:
        return None
    recipe = Recipe(kind=kind, columns=columns, **found)
    for problem in misfits(recipe):
        reader.problems.append(problem)
    return recipe


def read_columns(raw: object, reader: Reader) -> tuple[Column, ...]:
    if not isinstance(raw, list) or len(raw) > COLUMNS_MAX:
        wrong = f"{len(raw):,} of them" if isinstance(raw, list) else shown(raw)
        reader.refuse("recipe.columns", f"must be a list of at most {COLUMNS_MAX:,}, not {wrong}")
        return ()
    found = [read_column(each, f"recipe.columns[{at}]", reader) for at, each in enumerate(raw)]
    columns = tuple(column for column in found if column is not None)
    seen: set[str] = set()
    for at, column in enumerate(columns):
        if column.name in seen:
            reader.refuse(f"recipe.columns[{at}].name", f"{column.name!r} stands there twice")
        seen.add(column.name)
    return columns


def read_extras(given: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """What is no number."""
    found: dict[str, Any] = {}
    for key in ("environment", "unknown"):
        if given.get(key) is None:
            continue
        if wrong := name_refusal(given[key]):
            reader.refuse(join("recipe", key), wrong)
        found[key] = given[key]
    if given.get("usual") is not None:
        if given["usual"] != "" and (wrong := name_refusal(given["usual"])):
            reader.refuse("recipe.usual", wrong)
        found["usual"] = given["usual"]
    if given.get("threshold") is not None:
        found |= reader.fields(given, "recipe", {"threshold": Real(-1e30, 1e30)})
    if "vocabulary" in given:
        found["vocabulary"] = read_vocabulary(given["vocabulary"], reader)
    return found


def read_vocabulary(raw: object, reader: Reader) -> tuple[str, ...]:
    """Tokens are texts of any characters: a blank is one, too."""
    path = "recipe.vocabulary"
    if not isinstance(raw, list) or len(raw) > VOCABULARY_MAX:
        reader.refuse(path, f"must be a list of at most {VOCABULARY_MAX:,} tokens")
        return ()
    if not all(isinstance(token, str) and 0 < len(token) <= TOKEN_LENGTH_MAX for token in raw):
        reader.refuse(path, f"each token must be a text of 1 to {TOKEN_LENGTH_MAX} characters")
    elif len(set(raw)) != len(raw):
        reader.refuse(path, "a token stands there twice")
    elif raw and tuple(raw[: len(RESERVED)]) != RESERVED:
        reader.refuse(path, "must begin with the tokens for padding and for what is unknown")
    else:
        return tuple(raw)
    return ()


def misfits(recipe: Recipe) -> Iterator[Problem]:
    """What is wrong with columns that are right, each for itself."""
    path, kinds = "recipe.columns", [column.kind for column in recipe.features]
    match recipe.kind:
        case Form.TEXT if kinds != [Kind.TEXT]:
            yield Problem(path, "a text has one feature, a column of kind text; ignore the others")
        case Form.IMAGES if kinds != [Kind.IMAGE]:
            yield Problem(path, "pictures have one feature, a column of kind image")
        case Form.TABLE | Form.SERIES:
            yield from misfits_of_table(recipe)
    yield from misfits_of_targets(recipe)


def misfits_of_table(recipe: Recipe) -> Iterator[Problem]:
    for at, column in enumerate(recipe.columns):
        if column.role is Role.FEATURE and column.kind in (Kind.TEXT, Kind.IMAGE):
            reason = f"{column.name!r} is {column.kind.named}, no feature beside others: ignore it"
            yield Problem(f"recipe.columns[{at}].role", reason)
    if not recipe.inputs:
        yield Problem("recipe.columns", "there is no feature; give a column the role feature")
    width = sum(len(column.feature_names) for column in recipe.inputs)
    if width > FEATURES_MAX:
        reason = f"make {width:,} features, at most {FEATURES_MAX:,}; ignore some"
        yield Problem("recipe.columns", reason)
    if len(recipe.of_role(Role.TIME)) > 1:
        yield Problem("recipe.columns", "more than one has the role time")


def misfits_of_targets(recipe: Recipe) -> Iterator[Problem]:
    path, kinds = "recipe.columns", {column.kind for column in recipe.targets}
    if kinds - {Kind.NUMBER, Kind.CATEGORY}:
        yield Problem(path, "a target must be a number or a category")
    elif Kind.CATEGORY in kinds and len(recipe.targets) > 1:
        reason = "a category is asked for alone; make all targets but one features, or ignore them"
        yield Problem(path, reason)
    if wrong := usual_refusal(recipe):
        yield Problem("recipe.usual", wrong)
    if recipe.kind is Form.SERIES and kinds != {Kind.NUMBER}:
        yield Problem(path, "a series needs a target that is a number")
    if recipe.kind is Form.ENVIRONMENT and kinds != {Kind.CATEGORY}:
        yield Problem(path, "an environment needs a target whose values are the actions")


def usual_refusal(recipe: Recipe) -> str | None:
    """Why no rows are usual by this name; classes that nobody saw yet may have any."""
    if not recipe.usual:
        return None
    if not any(column.kind is Kind.CATEGORY for column in recipe.targets):
        return "rows have no classes, so none is usual; leave it out"
    if recipe.classes and recipe.usual not in recipe.classes:
        known = ", ".join(recipe.classes[:NAMED_MAX])
        return f"{shown(recipe.usual)} is none of the classes; they are: {known}"
    return None


def majority(classes: Sequence[str], counts: Sequence[int]) -> str:
    """The class of more than half of the rows, or "" where there is none."""
    if len(classes) < 2 or len(classes) != len(counts):
        return ""
    most = max(range(len(counts)), key=lambda number: counts[number])
    return classes[most] if 2 * counts[most] > sum(counts) else ""
