"""What is read of files that people bring, and what is refused with which words."""

import io
import json
import stat
import struct
import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from tests.training.uploads import SEEDS, archive, damaged_files, npy, npz, parquet, picture
from training.runner.readers import Bounds, Content, FileRefused, Pictures, Table, read, zips

SMALL = Bounds(file_bytes=1_000_000, rows=50, columns=8, values=20_000)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "file"


def reading(path, content: bytes, kind: str, bounds: Bounds = SMALL) -> Content:
    path.write_bytes(content)
    return read(path, kind, bounds)


def columns(content: Content) -> dict[str, list]:
    assert isinstance(content, Table)
    return content.frame.to_dict(as_series=False)


def header(text: str, content: bytes = b"") -> bytes:
    """An .npy that says what somebody wants it to say."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content


def test_a_table_may_be_written_in_many_ways(path):
    want = {"a": ["1", "-2", None], "b": ["x", 'say "y",\nz', "é"]}
    plain = 'a,b\n1,x\n-2,"say ""y"",\nz"\nNA,é\n'
    for text in (plain, plain.replace("\n", "\r\n"), "\ufeff" + plain, plain + "\n\n"):
        assert columns(reading(path, text.encode(), "csv")) == want
    assert columns(reading(path, plain.encode("utf-16"), "csv")) == want
    semicolons = 'a;b\n1;x\n-2;"say ""y"",\nz"\n;é\n'
    assert columns(reading(path, semicolons.encode(), "csv")) == want
    assert columns(reading(path, plain.replace(",", "\t").encode(), "tsv"))["a"] == want["a"]


def test_where_a_semicolon_divides_cells_a_comma_divides_numbers(path):
    german = 'höhe;masse;dorf\n1,25;-3;Au\n2,5e3;,5;Ulm, Donau\n;4;"1,2"\n'
    assert columns(reading(path, german.encode(), "csv")) == {
        "höhe": ["1.25", "2.5e3", None],
        "masse": ["-3", ".5", "4"],
        "dorf": ["Au", "Ulm, Donau", "1,2"],
    }
    english = "size\tplace\n1,250\tAu\n"  # where it may as well divide thousands
    assert columns(reading(path, english.encode(), "tsv"))["size"] == ["1,250"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,b\n", "has a heading and no rows"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 cell and the heading has 2"),
        (b'a,b\n1,"2\n\n3"\n4,5,6\n', "line 5 has 3 cells"),
        (b"a,b\n1,2\n\n3,4\n", "line 3 is empty; remove it"),
        (b'a,b\n1,"2\n', "line 2: a quotation mark is never closed"),
        (b"a,\n1,2\n", "line 1: column 2 has no name"),
        (b"a" * 81 + b"\n1\n", "has 81 characters; at most 80"),
        (b"a,b\n1,caf\x81\n", r"is not UTF-8: byte 9 \(line 2\) is 0x81. Save it as UTF-8"),
        (b"\xff\xfea\x00\x00\xd8", "is not UTF-16-LE: byte 4"),
        (b"a,b\n1,\0\n", "holds a NUL character in line 2"),
        (b"a,b\n1,=1+1\n", "line 2, column 'b': '=1.1' begins like a formula"),
        (b"a,b\n1,@SUM(A1)\n", "begins like a formula"),
        (b'a,b\n1,"\t=1"\n', "begins like a formula"),
        (b"a,b\n1,+cmd|' /C calc'!A0\n", "begins like a formula"),
        (b"a,b\n1,-2+3+cmd|' /C calc'!A0\n", "begins like a formula"),
        (b"=a,b\n1,2\n", "line 1: '=a' begins like a formula"),
        (b"a,b\n1,-inf\n", "'-inf' is not a finite number; leave the cell empty"),
        (b"a\n" + b"1\n" * 51, "has more than 50 rows"),
        (b"a,b,c,d,e,f,g,h,i\n", "has 9 columns; at most 8"),
        (b"a\n" + b"x" * 100_001 + b"\n", "field larger than field limit|has 100,001 characters"),
        (b"PAR1" + b"\0" * 20, "does not begin like CSV: it is no text"),
        (b"\x1f\x8b" + b"\0" * 20, "does not begin like CSV"),
    ],
)
def test_a_broken_table_is_refused_with_the_line(path, content, message):
    with pytest.raises(FileRefused, match=message):
        reading(path, content, "csv")


@pytest.mark.parametrize("cell", ["-5", "-.5e3", "+49 123 456", "-", "--", "- as it were", "a=b"])
def test_a_number_a_dash_and_a_telephone_number_are_no_formulas(path, cell):
    assert columns(reading(path, f"a,b\n1,{cell}\n".encode(), "csv"))["b"] == [cell]


def test_a_file_larger_than_the_plan_reads_is_refused(path):
    with pytest.raises(FileRefused, match="has 11 bytes; at most 10"):
        reading(path, b"a\n12345678\n", "csv", Bounds(file_bytes=10))
    with pytest.raises(FileRefused, match="6 values; at most 5"):
        reading(path, b"a,b\n1,2\n1,2\n1,2\n", "csv", Bounds(values=5))


def test_lines_of_json_may_have_different_keys(path):
    lines = b'{"a": 1, "b": "x"}\n\n{"a": 2.5, "c": true}\n{"b": null, "a": null}\n'
    want = {"a": [1.0, 2.5, None], "b": ["x", None, None], "c": [None, "true", None]}
    assert columns(reading(path, lines, "jsonl")) == want
    mixed = b'{"a": 1}\n{"a": "one"}\n'
    assert columns(reading(path, mixed, "jsonl")) == {"a": ["1", "one"]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1]", "line 2: must be an object"),
        (b'{"a": [1]}', "line 2, 'a': must be a text, a number"),
        (b'{"a": 1, "a": 2}', "line 2: a key stands there twice"),
        (b'{"a": NaN}', "line 2: NaN is not a finite number; write null"),
        (b'{"a": 1e39}', "line 2, 'a': 1e.39 does not fit a 32-bit float"),
        (b'{"a": 1' + b"0" * 400 + b"}", "does not fit a 32-bit float"),
        (b'{"a": 1' + b"0" * 5_000 + b"}", "line 2 is no JSON"),
        (b'{"a": "\\ud800"}', "holds a character that is none"),
        (b'{"a": "=1"}', "begins like a formula"),
        (b'{"": 1}', "column 2 has no name"),
        (b"{", "line 2 is no JSON: Expecting property name"),
        (b"[" * 100_000, "line 2 is no JSON"),
    ],
)
def test_a_broken_line_of_json_is_refused_with_its_number(path, line, message):
    with pytest.raises(FileRefused, match=message):
        reading(path, b'{"a": 1}\n' + line, "jsonl")


@pytest.mark.parametrize(("place", "byte"), [(99, 0), (232, 255), (402, 0), (412, 127)])
def test_a_damaged_parquet_file_that_its_parser_panics_at_is_refused(path, place, byte):
    content = bytearray(SEEDS["parquet"])
    content[place] = byte
    with pytest.raises(FileRefused, match="is not read as Parquet"):
        reading(path, bytes(content), "parquet")


def test_parquet_keeps_numbers_and_writes_dates(path):
    day = pl.Series(["2024-01-31"]).str.to_date()
    content = parquet(n=[3], day=day, yes=[True], text=["?"])
    want = {"n": [3.0], "day": ["2024-01-31"], "yes": ["true"], "text": [None]}
    assert columns(reading(path, content, "parquet")) == want


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (parquet(a=[[1, 2]]), "column 'a' is List.* and only numbers"),
        (parquet(a=[1.0, float("inf")]), "row 2, column 'a': inf is not finite"),
        (parquet(a=[1.0, float("nan")]), "row 2, column 'a': nan is not finite"),
        (parquet(a=["x", "=1"]), "row 2, column 'a': '=1' begins like a formula"),
        (parquet(a=list(range(51))), "has 51 rows; at most 50"),
        (parquet(a=pl.Series([], dtype=pl.Int64)), "has no rows"),
        (parquet(a=[1])[:-9], "is not read as Parquet"),
        (b"a,b\n1,2\n", "does not begin like PARQUET"),
    ],
)
def test_a_parquet_file_that_is_none_is_refused(path, content, message):
    with pytest.raises(FileRefused, match=message):
        reading(path, content, "parquet")


def test_a_header_that_promises_ten_gigabytes_is_refused_before_they_are_asked_for(path):
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (50, 25000000)}"
    with pytest.raises(FileRefused, match="promises 10,000,000,000 bytes and 8 follow"):
        reading(path, header(text, b"\0" * 8), "npy")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.array([{}]), allow_pickle=True), "holds object; only numbers and texts"),
        (npy(np.zeros((3, 1), [("a", "f4")])), "only numbers and texts are read"),
        (npy(np.zeros(3, np.complex64)), "only numbers and texts are read"),
        (npy(np.array(3)), r"its shape is \(\); 1 to 4 sides"),
        (npy(np.zeros((0, 3))), "is empty"),
        (npy(np.zeros((51, 3))), "has 51 rows; at most 50"),
        (npy(np.zeros((50, 401))), "20,050 values; at most 20,000"),
        (npy(np.array([1, np.nan])), "row 2 holds a number that is not finite"),
        (npy(np.zeros((4, 2)))[:-1], "promises 64 bytes and 63 follow"),
        (header("{'descr': '<f8'}"), "its header is damaged"),
        (header("__import__('os').abort()"), "its header is damaged"),
        (header("[" * 9_000), "its header is damaged"),
        (b"\x93NUMPY\x09\x00", "of a version that is not read"),
        (npy(np.array(["a"])), "features must be numbers"),
    ],
)
def test_an_array_that_is_not_honest_is_refused(path, content, message):
    with pytest.raises(FileRefused, match=message):
        reading(path, content, "npy")


def test_arrays_are_chosen_by_their_names(path):
    flat = columns(reading(path, npz(X=np.eye(3), y=np.array(["a", "b", "c"])), "npz"))
    assert list(flat) == ["x1", "x2", "x3", "target"]
    assert flat["target"] == ["a", "b", "c"]
    nested = reading(path, npz(images=np.zeros((5, 4, 3), "u1"), labels=np.arange(5)), "npz")
    assert nested.features.shape == (5, 4, 3)
    assert nested.targets.tolist() == [0, 1, 2, 3, 4]
    for arrays, message in [
        ({"a": np.eye(3), "b": np.eye(3)}, "holds a, b; name what is given `features`"),
        ({"x": np.eye(3), "y": np.zeros(4)}, "there must be one for each row"),
    ]:
        with pytest.raises(FileRefused, match=message):
            reading(path, npz(**arrays), "npz")
    with pytest.raises(FileRefused, match="must hold arrays only"):
        reading(path, archive({"a/b.png": picture()}), "npz")


def test_pictures_keep_a_size_that_all_have_and_become_squares_where_they_differ(path):
    same = {"cats/1.png": picture(), "dogs/deep/2.png": picture(), "__MACOSX/x": b"", "a/": b""}
    found = reading(path, archive(same), "zip")
    assert isinstance(found, Pictures)
    assert found.pixels.shape == (2, 4, 6, 1)
    assert (found.pixels == 7).all()
    assert found.labels == ["cats", "deep"]
    other = {**same, "cats/3.jpg": picture((90, 50), "RGB", "JPEG", (255, 0, 0))}
    found = reading(path, archive(other), "zip", Bounds())
    assert found.pixels.shape == (3, 32, 32, 3)
    assert found.pixels[1].mean(axis=(0, 1)).round(-1).tolist() == [250, 0, 0]
    path.write_bytes(archive(same))
    assert read(path, "zip", Bounds(), size=(2, 2, 3)).pixels.shape == (2, 2, 2, 3)


def saved(picture: Image.Image, kind: str = "PNG", **more) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def only(path, picture: bytes) -> np.ndarray:
    return reading(path, archive({"a/1.x": picture}), "zip").pixels[0]


def test_a_photograph_is_turned_as_its_camera_was_held(path):
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right makes it upright
    found = only(path, saved(Image.fromarray(pixels), exif=exif))[..., 0]
    assert found.shape == (8, 4)
    assert (found[:4] == 255).all()
    assert (found[4:] == 0).all()


def test_sixteen_bits_of_grey_become_the_upper_eight(path):
    deep = np.array([[0, 256, 0x7FFF], [0x8000, 0xFF00, 0xFFFF]], np.uint16)
    found = only(path, saved(Image.fromarray(deep)))
    assert found[..., 0].tolist() == [[0, 1, 127], [128, 255, 255]]


def test_what_shines_through_is_white_and_every_kind_of_colour_is_red_green_and_blue(path):
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert (only(path, saved(clear)) == 255).all()
    palette = Image.new("RGB", (2, 2), (204, 0, 0)).convert("P")
    assert only(path, saved(palette))[0, 0].tolist() == [204, 0, 0]
    ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red, green, blue = only(path, saved(ink, "JPEG"))[4, 4].tolist()
    assert red > 240 > 15 > max(green, blue)


def test_each_picture_that_is_not_taken_is_named_at_once(path):
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (0, 90, 200)]
    moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    photograph = saved(Image.effect_noise((90, 90), 60), "JPEG")
    files = {"a/cut.jpg": photograph[:900], "a/moving.gif": moving, "b/well.png": picture()}
    with pytest.raises(FileRefused) as refused:
        reading(path, archive(files), "zip")
    assert "'a/cut.jpg': is damaged: image file is truncated" in str(refused.value)
    assert "'a/moving.gif': moves; bring the pictures" in str(refused.value)
    many = {f"a/{number}.png": b"hello" for number in range(7)}
    with pytest.raises(FileRefused, match="'a/4.png'.* So are 2 more files"):
        reading(path, archive(many), "zip")


def link() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        entry = zipfile.ZipInfo("cats/1.png")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(entry, "/etc/passwd")
    return file.getvalue()


def encrypted() -> bytes:
    """The flag is set in both of the places where a zip says it."""
    content = bytearray(archive({"cats/1.png": picture()}))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def overlapping() -> bytes:
    """Twice the same bytes: the directory names one entry two times, of which one is renamed."""
    content = archive({"cats/1.png": b"x" * 20_000, "cats/2.png": b"x" * 20_000})
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 4)
    entry, end = content[first:second], content[content.index(b"PK\x05\x06") :]
    many = b"".join(entry.replace(b"1.png", b"%d.png" % number) for number in range(3, 8))
    whole = content[:first] + many
    counts = struct.pack("<HHII", 5, 5, len(many), first)
    return whole + end[:8] + counts + end[20:]


def promising(size: int) -> bytes:
    """An entry that declares another size than it has."""
    content = bytearray(archive({"cats/1.png": b"\0" * 5_000}, zipfile.ZIP_DEFLATED))
    begin = content.rindex(b"PK\x01\x02")
    content[begin + 24 : begin + 28] = struct.pack("<I", size)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04", "is not read as a zip"),
        (archive({"a/": b""}), "has no pictures in it"),
        (archive({"1.png": picture()}), "'1.png': lies in no folder"),
        (archive({"../a/1.png": picture()}), "its path leads out of the archive"),
        (archive({"/a/1.png": picture()}), "its path leads out of the archive"),
        (archive({"C:/a/1.png": picture()}), "its path leads out of the archive"),
        (archive({"a\\..\\1.png": picture()}), "its path leads out of the archive"),
        (archive({"a/\x1b[31m.png": picture()}), "its name is empty or not printable"),
        (
            archive({"a/1.png": picture()}).replace(b"a/1.png", b"\0/1.png"),
            "'': its name is empty or not",
        ),
        (link(), "it is a link"),
        (encrypted(), "it is encrypted"),
        (overlapping(), "is a zip bomb: its files lie over one another"),
        (archive({"a/1.png": picture()}, zipfile.ZIP_LZMA), "packed in a way"),
        (archive({"a/1.zip": archive({"b": b"1"})}), "is an archive in an archive"),
        (archive({"a/1.png": b"\x1f\x8b\x08"}), "is an archive in an archive"),
        (archive({"a/1.txt": b"hello"}), r"is no picture that is read here \(PNG, JPEG"),
        (archive({"a/1.png": picture()[:45]}), "'a/1.png': is"),
        (archive({"a/1.png": b"\0" * 5_000_000}, zipfile.ZIP_DEFLATED), "is a zip bomb: "),
        (promising(4_000), "'cats/1.png': is"),
        (promising(2_000_000_000), "unpacks to 2,000,000,000 bytes; at most"),
        (archive({"a/1.png": picture((5_000, 5_000))}), "is 5,000 × 5,000 pixels"),
        (archive({f"a/{n}.png": b"" for n in range(101)}), "has 101 files in it; at most 100"),
        (archive({f"a/{n}.png": picture((64, 64)) for n in range(5)}), "20,480 values; at most"),
    ],
)
def test_a_zip_that_is_a_trap_is_refused(path, content, message):
    with pytest.raises(FileRefused, match=message):
        reading(path, content, "zip")


def test_no_entry_gives_more_than_it_declares(path, monkeypatch):
    path.write_bytes(archive({"cats/1.png": b"x" * 5_000}))
    with zips.open_zip(path) as opened:
        entry = opened.infolist()[0]
        entry.file_size = 5_000
        monkeypatch.setattr(zips, "PIECE_BYTES", 1_000)
        assert zips.content_of(opened, entry) == b"x" * 5_000


def test_a_format_that_nobody_reads_is_refused_with_those_that_are(path):
    with pytest.raises(FileRefused, match="format 'xlsx'; these are read: csv, tsv"):
        reading(path, b"a\n1\n", "xlsx")


# Bytes from anywhere


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged_files())
def test_mallory_sends_any_bytes_and_gets_a_table_or_a_reason(path, file):
    kind, content = file
    try:
        found = reading(path, content, kind)
    except FileRefused as refused:
        assert str(refused)
        return
    if isinstance(found, Table):
        assert 1 <= found.frame.height <= SMALL.rows
        assert 1 <= found.frame.width <= SMALL.columns
        json.dumps(found.frame.to_dict(as_series=False), allow_nan=False)
