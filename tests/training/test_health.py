"""What is found in people's rows, and what is guessed of them."""

import io
import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from training.runner.preparation import Prepared, prepare
from training.runner.readers import Arrays, Bounds, FileRefused, Pictures, Table, Text
from training.runner.recipes import Kind, Recipe, Role, Split, SplitKind
from training.runner.schemas import category_of, infer


def table(**columns) -> Table:
    """As a reader leaves it: numbers are floats, all else is text."""
    return Table(
        pl.DataFrame(
            {
                name: pl.Series(values).cast(pl.Float64)
                if all(isinstance(value, int | float | None) for value in values)
                else pl.Series(values, dtype=pl.String)
                for name, values in columns.items()
            }
        )
    )


def prepared(content, **more) -> Prepared:
    return prepare(content, Bounds(), **more)


def finding(found: Prepared, code: str) -> dict:
    [one] = [each for each in found.report["health"] if each["code"] == code]
    return one


def noise(rows: int, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).standard_normal(rows).round(4).tolist()


def kinds(rows: int) -> list[str]:
    return ["rose" if row % 3 else "iris" for row in range(rows)]


def test_sound_rows_are_called_sound():
    found = prepared(table(a=noise(400), b=noise(400, 1), species=kinds(400)))
    levels = {each["code"]: each["level"] for each in found.report["health"]}
    assert levels == dict.fromkeys(
        ["few_rows", "duplicates", "leakage", "missing", "constant", "target_leak", "imbalance"],
        "ok",
    )
    json.dumps(found.report, allow_nan=False)


def test_rows_that_stand_twice_are_counted_and_so_are_those_that_leak():
    values = noise(100) + noise(100)
    found = prepared(table(a=values, species=kinds(100) + kinds(100)))
    assert finding(found, "duplicates")["count"] == 100
    leak = finding(found, "leakage")
    rows = found.rows
    trained = set(rows.features[rows.parts == 0, 0].tolist())
    want = sum(value in trained for value in rows.features[rows.parts != 0, 0].tolist())
    assert (leak["level"], leak["count"]) == ("bad", want)
    assert want > 20


def test_a_column_that_gives_the_target_away_is_named():
    species = kinds(400)
    code = [7.0 if kind == "iris" else 9.0 for kind in species]
    found = prepared(table(a=noise(400), code=code, species=species))
    assert finding(found, "target_leak")["level"] == "bad"
    assert finding(found, "target_leak")["message"].startswith("“code”: tells the target")
    price = noise(400, 3)
    later = [2 * value + 1 for value in price]
    found = prepared(table(a=noise(400), later=later, price=price))
    assert finding(found, "target_leak")["message"].startswith("“later”")


def test_a_constant_column_a_rare_class_and_gaps_are_warned_of():
    species = ["rose"] * 380 + ["iris"] * 20
    gaps = [None if row % 2 else 1.5 * row for row in range(400)]
    found = prepared(table(a=noise(400), same=[1.0] * 400, gaps=gaps, species=species))
    assert finding(found, "constant") == {
        "level": "warn",
        "code": "constant",
        "message": "“same”: always the same value, so it tells nothing; ignore it.",
        "count": 1,
    }
    assert finding(found, "imbalance")["level"] == "warn"
    assert "(19.0 times)" in finding(found, "imbalance")["message"]
    assert finding(found, "missing")["level"] == "warn"
    assert "up to 50% of the values" in finding(found, "missing")["message"]


def test_texts_that_are_left_out_beside_numbers_are_named():
    weights = [f"{row} kg" for row in range(400)]
    found = prepared(table(a=noise(400), weight=weights, species=["rose", "iris"] * 200))
    assert finding(found, "ignored")["level"] == "warn"
    assert finding(found, "ignored")["message"].startswith("“weight”: not used, since the values")
    found = prepared(table(id=list(map(float, range(400))), a=noise(400), species=kinds(400)))
    assert finding(found, "ignored")["message"] == "“id”: not used, since ignored."


def test_a_column_called_as_a_target_is_asked_for_though_it_has_many_classes():
    classes = [f"class {row % 60}" for row in range(300)]
    found = prepared(table(a=noise(300), b=noise(300, 1), y=classes))
    assert category_of(found.recipe) == "classification"
    assert len(found.recipe.classes) == 60


def test_a_column_called_as_a_target_that_is_not_asked_for_is_named():
    names = [f"name {row}" for row in range(300)]
    found = prepared(table(a=noise(300), b=noise(300, 1), y=names))
    said = finding(found, "ignored")
    assert said["level"] == "warn"
    assert said["message"].startswith("“y”: called as a target is, and ignored; asked for is “b”.")


def test_a_text_that_says_the_same_again_is_known_by_heart():
    again = prepared(Text("Roses are red and violets are blue. " * 1_200))
    said = finding(again, "leakage")
    assert said["level"] == "bad"
    assert said["count"] == again.rows.parts.size - (again.rows.parts == 0).sum()
    letters = np.random.default_rng(0).choice(list("abcdefghij "), 20_000)
    assert finding(prepared(Text("".join(letters))), "leakage")["level"] == "ok"


def test_copies_are_found_where_nothing_is_asked_too():
    """Rows for a network that makes others like them, each of which stands there thrice."""
    rows = np.tile(np.random.default_rng(0).normal(size=(60, 3)), (3, 1))
    found = prepared(Arrays(rows, None))
    assert found.recipe.targets == ()
    assert finding(found, "duplicates")["count"] == 120
    assert finding(found, "leakage")["level"] == "bad"


def test_what_stands_in_for_missing_values_is_said_as_it_is():
    gaps = [None, 1.5] * 200
    content = table(a=gaps, b=gaps, species=kinds(400))
    raw = infer(content)[0].to_json()
    message = finding(prepared(content), "missing")["message"]
    assert message.endswith(
        "The median or the most frequent value of the training rows stands in for them."
    )
    raw["columns"][0]["missing"] = 3
    message = finding(prepared(content, recipe=Recipe.from_json(raw)), "missing")["message"]
    assert message.endswith("stands in for them; for “a” what the schema states.")
    raw["columns"][1]["missing"] = 4
    message = finding(prepared(content, recipe=Recipe.from_json(raw)), "missing")["message"]
    assert message.endswith("What the schema states stands in for them.")


def test_classes_of_one_size_are_not_compared():
    found = prepared(table(a=noise(400), species=["rose", "iris"] * 200))
    assert finding(found, "imbalance")["message"] == "Each class has 200 rows."


def test_a_report_shows_how_each_column_is_spread():
    found = prepared(table(a=[0.0] * 10 + [1.0] * 30, b=noise(40), kind=["x", "y"] * 20))
    a, _, kind = found.report["columns"]
    assert (a["unique"], a["missing"], a["kind"]) == (2, 0, "number")
    assert (len(a["histogram"]["edges"]), sum(a["histogram"]["counts"])) == (21, 40)
    assert (a["histogram"]["counts"][0], a["histogram"]["counts"][-1]) == (10, 30)
    assert kind["top"] == {"x": 20, "y": 20}
    assert len(found.report["first_rows"]) == 20
    assert found.report["first_rows"][1]["kind"] == "y"


@pytest.mark.parametrize(
    ("columns", "category", "roles"),
    [
        (
            {"species": kinds(40), "a": noise(40), "row_id": [str(row) for row in range(40)]},
            "classification",
            {"species": "target", "a": "feature", "row_id": "ignored"},
        ),
        (
            {"a": noise(40), "price": noise(40, 1)},
            "regression",
            {"a": "feature", "price": "target"},
        ),
        (
            {"a": noise(40), "label": [float(row % 3) for row in range(40)]},
            "classification",
            {"a": "feature", "label": "target"},
        ),
        (
            {"day": [f"2024-01-{row:02}" for row in range(1, 31)], "sold": noise(30)},
            "timeseries",
            {"day": "time", "sold": "target"},
        ),
        ({"value": noise(40)}, "timeseries", {"value": "target"}),
        (
            {"text": [f"word {row} of many" for row in range(40)], "label": kinds(40)},
            "nlp",
            {"text": "feature", "label": "target"},
        ),
        (
            {"name": [f"{row}th" for row in range(40)], "a": noise(40), "y": noise(40)},
            "regression",
            {"name": "ignored", "a": "feature", "y": "target"},
        ),
        (
            {"target1": noise(40), "target2": noise(40), "a": noise(40)},
            "regression",
            {"target1": "target", "target2": "target", "a": "feature"},
        ),
        (  # as pandas writes columns that nobody named
            {"0": noise(40), "1": noise(40), "2": noise(40)},
            "regression",
            {"0": "feature", "1": "feature", "2": "target"},
        ),
    ],
)
def test_what_a_table_asks_is_guessed(columns, category, roles):
    recipe, _ = infer(table(**columns))
    assert category_of(recipe) == category
    assert {column.name: column.role.value for column in recipe.columns} == roles


def test_kinds_of_columns_are_told_by_all_their_values():
    recipe, split = infer(
        table(
            number=["1", "-2.5e3", None, "4"] * 10,
            date=["2024-01-31", "2023/12/01T10:00"] * 20,
            almost=["2024-01-31"] * 39 + ["soon"],
            colour=["red", "blue"] * 20,
            empty=[None] * 40,
            y=kinds(40),
        )
    )
    found = {column.name: column for column in recipe.columns}
    kinds_found = [found[name].kind for name in ("number", "date", "almost", "colour")]
    assert kinds_found == [Kind.NUMBER, Kind.DATE, Kind.CATEGORY, Kind.CATEGORY]
    assert found["empty"].role is Role.IGNORED
    assert split.kind is SplitKind.STRATIFIED


def test_sensitive_columns_become_groups():
    sex, age = ["f", None] * 50, [float(row) for row in range(100)]
    content = table(sex=sex, age=age, a=noise(100), y=kinds(100))
    raw = infer(content)[0].to_json()
    for column in raw["columns"][:2]:
        column |= {"sensitive": True, "role": "ignored"}
    found = prepared(content, recipe=Recipe.from_json(raw))
    assert found.rows.groups.shape == (100, 2)
    assert found.rows.groups[:2, 0].tolist() == [0, -1]
    assert np.bincount(found.rows.groups[:, 1], minlength=4).min() > 15
    sexes, ages = found.report["groups"]
    assert sexes == {"column": "sex", "names": ["f"]}
    assert len(ages["names"]) == 4
    assert ages["names"][0].startswith("below ")


def test_what_cannot_be_prepared_says_why():
    few = table(a=noise(3), y=noise(3))
    with pytest.raises(FileRefused, match="has 3 rows; bring at least 4"):
        prepared(few)
    day = [f"2024-01-{row:02}" for row in range(1, 31)]
    series = table(day=day, y=noise(30))
    raw = infer(series)[0].to_json()
    with pytest.raises(FileRefused, match="a series, which is split by time"):
        prepared(series, recipe=Recipe.from_json(raw), split=Split())
    with pytest.raises(FileRefused, match="a window with its horizon has 11; make recipe.window"):
        prepared(series, recipe=Recipe.from_json(raw | {"window": 10}))
    with pytest.raises(FileRefused, match="running text; correct recipe.kind"):
        prepared(Text("abc" * 100), recipe=Recipe.from_json(raw))
    with pytest.raises(FileRefused, match="has 30 tokens, 0 pieces of 65"):
        prepared(Text("abc" * 10))
    with pytest.raises(FileRefused, match="no column that can be a feature: all are empty"):
        prepared(
            Table(
                pl.DataFrame(
                    {"a": [None] * 9, "b": [None] * 9}, schema=dict.fromkeys("ab", pl.String)
                )
            )
        )
    pictures = Pictures(np.zeros((8, 2, 2, 1), np.uint8), ["a", "b"] * 4, [""] * 8)
    with pytest.raises(FileRefused, match="nothing of the kind 'series'"):
        prepared(pictures, recipe=Recipe.from_json(raw))


def days(count: int) -> list[str]:
    return [str(date(2024, 1, 1) + timedelta(days=number)) for number in range(count)]


def test_rows_at_one_time_are_several_series_or_none():
    """Windows of alice's shops never have steps of two shops, though their days are the same."""
    shops = ["north", "south"] * 120
    sold = [number // 2 + 1_000 * (number % 2) for number in range(240)]
    both = table(day=[day for day in days(120) for _ in "ns"], shop=shops, sold=sold)
    found = prepared(both)
    roles = {column.name: column.role for column in found.recipe.columns}
    assert roles == {"day": Role.TIME, "shop": Role.GROUP, "sold": Role.TARGET}
    seen = np.hstack([found.rows.features[..., 0], found.rows.targets])
    assert (np.diff(seen, axis=1) == 1).all()
    assert {window.min() >= 1_000 for window in seen} == {True, False}
    raw = found.recipe.to_json()
    raw["columns"][1]["role"] = "ignored"
    with pytest.raises(FileRefused, match="'day' has '2024-01-01' more than once, and 120 rows"):
        prepared(both, recipe=Recipe.from_json(raw))


def test_a_series_with_gaps_or_without_change_says_so():
    kept = [day for number, day in enumerate(days(150)) if not 40 < number < 60]
    found = prepared(table(day=kept, sold=noise(len(kept))))
    assert finding(found, "gaps")["count"] == 1
    assert "up to 20 instead of 1, in days, and a window" in finding(found, "gaps")["message"]
    flat = prepared(table(day=days(150), sold=[5.0] * 150), recipe=found.recipe)
    assert finding(flat, "constant")["level"] == "bad"
    assert finding(flat, "gaps")["level"] == "ok"


def test_a_table_written_by_polars_and_read_back_is_the_same():
    """Not all floats are written in few digits."""
    values = np.random.default_rng(0).standard_normal(50)
    frame = pl.DataFrame({"a": values, "y": values[::-1]})
    file = io.BytesIO()
    frame.write_csv(file)
    texts = Table(pl.read_csv(file.getvalue(), infer_schema=False))
    assert (prepared(texts).rows.features == values.astype(np.float32)[:, None]).all()


@pytest.mark.parametrize("kind", [SplitKind.RANDOM, SplitKind.STRATIFIED])
def test_rows_that_are_drawn_each_by_itself_are_split_by_no_column(kind):
    """Whatever is ignored, in time or in a group beside them has no part in it."""
    rows = {"note": [f"row {row}" for row in range(60)], "a": noise(60), "species": kinds(60)}
    rows |= {"shop": [f"shop {row % 9}" for row in range(60)], "day": list(range(60))}
    roles = {"note": "ignored", "species": "target", "shop": "group", "day": "time"}
    columns = [
        {
            "name": name,
            "kind": "number" if name in ("a", "day") else "category",
            "role": roles.get(name, "feature"),
        }
        for name in rows
    ]
    recipe = Recipe.from_json({"kind": "table", "columns": columns})
    found = prepared(table(**rows), recipe=recipe, split=Split(kind))
    assert found.split == Split(kind)
    assert prepared(table(**rows), recipe=recipe, split=Split(SplitKind.GROUP)).split.column == (
        "shop"
    )
    assert prepared(table(**rows), recipe=recipe, split=Split(SplitKind.TIME)).split.column == "day"
