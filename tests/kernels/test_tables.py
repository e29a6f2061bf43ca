"""Tables in CSV: what is read, and what is refused by its line and column."""

import csv

import pytest

from kernels.commands import tables
from kernels.data import DataError

ROWS = ["1,2,a", "3,4,b"] * 3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


def refusal(path):
    with pytest.raises(DataError) as refused:
        tables.read_csv(path)
    return str(refused.value)


def test_a_mark_of_byte_order_and_blank_lines_at_the_end_are_no_data(path):
    path.write_bytes("\n".join(["x,y,kind", *ROWS, "", " ", ""]).encode("utf-8-sig"))
    found = tables.read_csv(path)
    assert found.features == ("x", "y")
    assert found.classes == ("a", "b")
    assert found.values.tolist() == [[1, 2], [3, 4]] * 3
    assert found.labels.tolist() == [0, 1] * 3


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_in_another_encoding_is_refused(encoding, path):
    path.write_bytes("\n".join(["größe,y,kind", *ROWS]).encode(encoding))
    assert "table.csv: is no text in UTF-8 from byte " in refusal(path)


def test_bytes_that_are_no_text_are_refused(path):
    path.write_bytes(b"x,y,kind\n" + bytes(100))
    assert refusal(path).endswith("is no text; it must be a table in CSV")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["x,x,kind", *ROWS], "line 1: 2 columns are named 'x'; each needs its own"),
        (["1,2,3", *ROWS], "line 1: holds numbers alone; write the names of the columns there"),
        (["x,y,kind", *ROWS, "5,6,"], "line 8: has no class in its last column, 'kind'"),
        (["x,y,kind", *ROWS, "", "5,6,a"], "line 8: has 0 columns, the heading 3"),
        (["x,y,kind", *["1,2,a"] * 6], "'kind', holds one class alone, 'a'"),
        (["x,y,kind", *ROWS, "1e39,6,a"], "line 8: '1e39' in the column 'x' is no number, or none"),
        (["x,y,kind", *ROWS, 6000 * "9" + ",2,a"], "in the column 'x' is no number, or none"),
        (["x,y,kind", *ROWS, "1,2_0,a"], "line 8: '2_0' in the column 'y' is no number"),
        (["x,y,kind", *ROWS, 'x,"2,a'], "line 8: is no CSV; a quote is not closed"),
        (["x,price", *[f"{n},{n}.5" for n in range(9)]], "it looks like numbers to foretell"),
        (["x,name", *[f"{n},a{n}" for n in range(1001)]], "holds 1,001 different values"),
        (["x,y,kind", *ROWS[:4]], "2 to 2000 columns parted by commas, and at least 5 rows"),
        (["x;y;kind", *["1;2;a"] * 6], "2 to 2000 columns parted by commas"),
        ([], "must have a heading"),
    ],
)
def test_what_is_probably_not_meant_is_refused(lines, message, path):
    path.write_text("\n".join(lines))
    found = refusal(path)
    assert "table.csv" in found
    assert message in found


def test_a_cell_longer_than_can_be_is_refused_by_its_line(path):
    path.write_text("\n".join(["x,y,kind", *ROWS, "1,2," + "a" * (csv.field_size_limit() + 1)]))
    assert "line 8: is no CSV; a quote is not closed, or a cell holds more than" in refusal(path)
