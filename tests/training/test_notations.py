"""What people's spreadsheets write, and what is made of it.

What can be read in one way is read so; what cannot is left as it is, and said.
"""

import pytest

from tests.training.uploads import bring, stored
from training.models import Work
from training.runner.preparation import prepare
from training.runner.readers import Bounds, FileRefused, Table, read
from training.runner.recipes import Recipe, RowRefused
from training.runner.schemas import infer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def reading(path, content: str | bytes, kind: str = "csv") -> Table:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = read(path, kind, Bounds())
    assert isinstance(found, Table)
    return found


# Rows


def test_rows_that_lack_what_is_asked_for_are_left_out_and_counted(alice, in_this_process):
    rows = [f"{row},{row * row % 17},{'' if row % 5 == 0 else row * 3}" for row in range(60)]
    dataset = bring(alice, "\n".join(["a,b,y", *rows]).encode(), "csv")
    assert (dataset.status, dataset.rows) == (Work.Status.DONE, 48)
    found = {each["code"]: each["message"] for each in dataset.report["health"]}
    assert found["no_target"].startswith(
        "12 of 60 rows are left out, since they have no value of “y”"
    )
    there = stored(dataset)
    assert (there.targets[:, 0] == there.features[:, 0] * 3).all()
    assert 0 not in there.features[:, 0]


def test_a_row_is_named_as_it_stands_in_the_file_though_others_were_left_out(path):
    rows = [f"{row},{'' if row < 6 else 'ab'[row % 2]}" for row in range(30)]
    rows[20] = "wide,a"
    content = reading(path, "\n".join(["a,y", *rows]))
    raw = infer(content)[0].to_json()
    raw["columns"][0] |= {"kind": "number", "role": "feature"}
    with pytest.raises(RowRefused, match="row 20, column 'a': must be a number, not 'wide'"):
        prepare(
            content,
            Bounds(),
            recipe=Recipe.from_json({"kind": "table"} | {"columns": raw["columns"]}),
        )


def test_a_table_that_answers_almost_nowhere_is_refused(path):
    content = reading(path, "a,b,y\n" + "1,2,\n2,3,\n" * 9 + "3,4,5\n4,5,6\n")
    with pytest.raises(FileRefused, match="has 2 rows with a value of “y”; bring at least 4"):
        prepare(content, Bounds())
