"""What people's spreadsheets write, and what is made of it: numbers, dates, headings, letters.

What can be read in one way is read so; what cannot is left as it is, and said.
"""

import numpy as np
import pytest

from tests.training.uploads import bring, stored
from training import services as training
from training.models import Work
from training.runner import datasets
from training.runner.preparation import prepare
from training.runner.readers import Bounds, FileRefused, Table, read
from training.runner.recipes import Kind, Recipe, RowRefused, Split, SplitKind
from training.runner.recipes.columns import read_days
from training.runner.schemas import infer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def reading(path, content: str | bytes, kind: str = "csv") -> Table:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = read(path, kind, Bounds())
    assert isinstance(found, Table)
    return found


def said(table: Table) -> dict[str, str]:
    return {finding.code: finding.message for finding in table.findings}


def lines(heading: str, *columns: list[str], mark: str = ";") -> str:
    rows = [mark.join(cells) for cells in zip(*columns, strict=True)]
    return "\n".join([heading, *rows])


def flats(rows: int = 240) -> bytes:
    """As a spreadsheet in Cologne saves it: alice's list of flats and their rent."""
    given = ["Nr;Fläche m²;Zimmer;Einzug;Stadt;Miete €"]
    for row in range(rows):
        area = (
            ["-", "NA", "", "1.052,84"][row % 37] if row % 37 < 4 else f"{30 + row % 90},{row % 9}"
        )
        rooms = "" if row % 20 == 2 else str(1 + row % 5)
        moved = f"{row % 28 + 1:02}.{row % 12 + 1:02}.2024"
        town = ["Köln", "München", "Berlin"][row % 3]
        given.append(
            f"{row + 1};{area};{rooms};{moved};{town};{300 + row * 7 % 400},{row % 90 + 10} €"
        )
    return "\r\n".join(given).encode("windows-1252")


def test_alice_brings_a_list_of_flats_as_her_spreadsheet_saved_it(alice, in_this_process):
    dataset = bring(alice, flats(), "csv")
    assert (dataset.status, dataset.category) == (Work.Status.DONE, "regression")
    kinds = {column["name"]: column["kind"] for column in dataset.recipe["columns"]}
    assert kinds == {
        "Nr": "number",
        "Fläche m²": "number",
        "Zimmer": "number",
        "Einzug": "date",
        "Stadt": "category",
        "Miete €": "number",
    }
    found = {each["code"]: each["message"] for each in dataset.report["health"]}
    assert "read as Windows-1252. Look whether “Fläche” is written" in found["encoding"]
    assert found["dash"] == "“Fläche m²”: a dash is taken for a missing value: 7 of 240 rows."
    assert found["unit"].startswith("“Miete €”: the sign beside each number is left out")
    assert "1.052,84 is read as 1052.84" in found["thousands"]
    rows = stored(dataset)
    assert rows.targets[2, 0] == np.float32(314.12)
    assert rows.features[3, 1] == np.float32(1052.84)


def test_the_notation_that_one_value_tells_holds_for_its_column(path):
    for marks, comma in (((",", "."), True), ((".", ","), False)):
        column = [f"303{marks[0]}10", f"1{marks[1]}234{marks[0]}56", f"1{marks[1]}771", "7"]
        content = lines("a;b", column, ["x"] * 4)
        table = reading(path, content)
        assert table.frame["a"].to_list() == ["303.10", "1234.56", "1771", "7"]
        assert ("decimal_comma" in said(table)) is comma
        assert "thousands" in said(table)
    assert reading(path, "a;b\n1.234.567;x\n").frame["a"].to_list() == ["1234567"]
    assert reading(path, "a;b\n1'234.5;x\n").frame["a"].to_list() == ["1234.5"]
    assert reading(path, "a\tb\n0,5\tx\n", "tsv").frame["a"].to_list() == ["0.5"]


def test_what_only_other_columns_tell_is_read_and_said_to_be_doubtful(path):
    prices = ["1.771", "2.050", "950"]
    told = reading(path, lines("price;size", prices, ["1,5", "2,5", "3"]))
    assert told.frame["price"].to_list() == ["1771", "2050", "950"]
    assert "“price”: 1.771 is read as 1771, as the rest of the file" in said(told)["doubtful_mark"]
    untold = reading(path, lines("price;size", prices, ["1", "2", "3"]))
    assert untold.frame["price"].to_list() == prices
    assert "1.771 is read as 1.771" in said(untold)["doubtful_mark"]
    assert said(reading(path, lines("price;size", prices, ["1.5", "2", "3"]))) == {}
    assert said(reading(path, lines("price,size", prices, ["1", "2", "3"], mark=","))) == {}


def test_what_nothing_tells_stays_a_text_and_is_named(path):
    table = reading(path, "size\tplace\n1,250\tAu\n3,400\tUlm\n", "tsv")
    assert table.frame["size"].to_list() == ["1,250", "3,400"]
    assert said(table)["unclear_mark"].startswith("“size”: 1,250 may have decimals or thousands")
    mixed = reading(path, lines("a;b", ["1.250", "1,250"], ["x", "y"]))
    assert mixed.frame["a"].to_list() == ["1.250", "1,250"]
    assert "unclear_mark" in said(mixed)


@pytest.mark.parametrize("column", [["1,5", "XL"], ["12 kg", "13 kg"], ["5 €", "5 $"], ["-", "x"]])
def test_words_stay_as_they_are(path, column):
    table = reading(path, lines("a;b", column, ["1", "2"]))
    assert table.frame["a"].to_list() == column
    assert said(table) == {}


def test_alice_is_told_which_value_keeps_a_column_from_being_numbers(path):
    column = ["", "-", *(f"{row},5" for row in range(40))]
    column[9] = "k.A."
    numbers = [str(number * number % 17) for number in range(len(column))]
    content = reading(path, lines("a;b;c", column, numbers, numbers[::-1]))
    assert "but not “k.A.” (row 10). Mend" in said(content)["not_numbers"]
    assert content.frame["a"][2] == "0,5"
    raw = infer(content)[0].to_json()
    raw["columns"][0] |= {"kind": "number", "role": "feature"}
    with pytest.raises(RowRefused, match="row 9, column 'a': must be a number, not 'k.A.'"):
        prepare(content, Bounds(), recipe=Recipe.from_json(raw), split=Split(SplitKind.TIME))


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("01.03.2024", "2024-03-01"),
        ("1.3.2024 14:30", "2024-03-01T14:30"),
        ("28/03/2024", "2024-03-28"),
        ("03/28/2024", "2024-03-28"),
        ("3-28-2024", "2024-03-28"),
        ("05/05/2024", "2024-05-05"),
    ],
)
def test_a_date_with_its_year_last_is_read_where_it_can_be_one_alone(written, iso):
    assert read_days(written) == read_days(iso)


@pytest.mark.parametrize("written", ["31.13.2024", "01.03.24", "32/01/2024", "1.3/2024"])
def test_what_is_no_date_is_refused_as_such(written):
    with pytest.raises(ValueError, match=f"must be a date such as 2024-01-31, not '{written}'"):
        read_days(written)


def test_a_date_that_may_be_two_is_refused_in_words_that_say_so():
    with pytest.raises(ValueError, match="may have the day or the month first; write the year"):
        read_days("03/04/2024")


def test_one_date_tells_the_order_of_its_column_and_none_leaves_it_open(path):
    american = reading(path, "day,n\n03/28/2024,1\n03/04/2024,2\n-,3\n")
    assert american.frame["day"].to_list() == ["2024-03-28", "2024-03-04", None]
    assert "03/04/2024 is read as 2024-03-04" in said(american)["date_order"]
    british = reading(path, "day,n\n28/03/2024 10:00,1\n03/04/2024 11:00,2\n")
    assert british.frame["day"].to_list() == ["2024-03-28 10:00", "2024-04-03 11:00"]
    for days in (["03/04/2024", "05/06/2024"], ["28/03/2024", "03/28/2024", "03/04/2024"]):
        open_ = reading(path, lines("day,n", days, [str(n) for n in range(len(days))], mark=","))
        assert open_.frame["day"].to_list() == days
        assert "03/04/2024 may have the day or the month first" in said(open_)["unclear_date"]
    german = reading(path, "day;n\n01.03.2024;1\n")
    assert infer(german)[0].columns[0].kind is Kind.DATE


def test_alice_corrects_a_column_of_days_to_dates_and_reads_why_it_cannot_be(
    alice, in_this_process, django_capture_on_commit_callbacks
):
    days = [f"0{row % 9 + 1}/0{row % 7 + 1}/2024,{row}" for row in range(60)]
    dataset = bring(alice, "\n".join(["day,n", *days]).encode(), "csv")
    recipe = {"kind": "table", "columns": [{"name": "day", "kind": "date"}]}
    recipe["columns"].append({"name": "n", "kind": "number", "role": "target"})
    training.correct_schema(actor=alice, dataset=dataset, recipe=recipe, split={"kind": "random"})
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert dataset.status == Work.Status.FAILED
    assert "may have the day or the month first; write the year first" in dataset.error_message


# Rows, headings, letters


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


def test_a_name_that_a_heading_has_again_is_numbered(path):
    table = reading(path, "a,a,b,a,a 2\n1,2,3,4,5\n")
    assert table.frame.row(0, named=True) == {
        "a": "1",
        "a 3": "2",
        "b": "3",
        "a 4": "4",
        "a 2": "5",
    }
    assert said(table)["headings"].startswith("“a 3”, “a 4”: numbered, since the heading")


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,caf\x81\n",  # no letter
        "a,b\n1,Köln\n2,".encode() + b"K\xf6ln\n",  # UTF-8 in part: broken, and not another writing
        b"\xef\xbb\xbfa,b\n1,K\xf6ln\n",  # which says that it is UTF-8
    ],
)
def test_letters_that_cannot_be_told_are_refused(path, content):
    with pytest.raises(FileRefused, match="is not UTF-8: .* Save it as UTF-8"):
        reading(path, content)


def test_plain_text_and_json_are_utf_8(path):
    for kind, content in (("text", b"K\xf6ln"), ("jsonl", b'{"a": "K\xf6ln"}')):
        path.write_bytes(content)
        with pytest.raises(FileRefused, match="is not UTF-8"):
            read(path, kind, Bounds())
