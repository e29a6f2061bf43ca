"""The pages of datasets, as people use them. No test here runs scripts."""

import base64
import io
import re
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from tests.conftest import SMALL
from tests.training.test_uploads import CSV, tight, upload
from training import services as training
from training.models import Dataset, Tier
from training.runner import blobs, datasets

pytestmark = pytest.mark.usefixtures("in_this_process")


def text(response) -> str:
    return response.content.decode()


def prepared(dataset: Dataset) -> Dataset:
    """After a worker was here."""
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    return dataset


def form(content=CSV, file_name="plants.csv", **fields) -> dict:
    return {"file": SimpleUploadedFile(file_name, content), "name": "", "licence": ""} | fields


def errors(page: str) -> list[str]:
    """What stands beside the fields."""
    return re.findall(r'<div class="error" id="\w+">(?:<p>)?([^<]+)', page)


def schema_form(page) -> dict[str, str]:
    """The fields of the schema's form as a browser would send them back."""
    found = {}
    for field in page.context["form"]:
        value = field.value()
        if value is not False and value is not None:
            found[field.html_name] = "on" if value is True else str(value)
    return found


def test_alice_brings_a_file_and_comes_to_its_page(client, alice):
    client.force_login(alice)
    answer = client.post("/datasets/new/", form(name="Plants", licence="MIT"))
    dataset = Dataset.objects.get()
    assert answer.url == dataset.get_absolute_url()
    page = text(client.get(answer.url))
    assert "Waiting for a worker" in page
    assert 'hx-trigger="every 1s"' in page
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert "Train on this" not in page


def test_the_page_follows_until_the_rows_are_there(client, alice):
    client.force_login(alice)
    dataset = prepared(upload(alice, licence="MIT", description="Of the garden."))
    page = text(client.get(dataset.get_absolute_url(), headers={"HX-Request": "true"}))
    assert "<html" not in page
    assert "hx-trigger" not in page
    for shown in ("Train on this", "The first rows", "Class balance", "Health", "Of the garden."):
        assert shown in page
    assert dataset.sha256 in page
    assert dataset.upload_sha256 in page
    assert page.count('class="distribution"') == 3
    assert f"{dataset.test_rows}</b>" in page


def test_with_scripts_the_browser_is_sent_to_the_page(client, alice):
    client.force_login(alice)
    answer = client.post("/datasets/new/", form(), headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == Dataset.objects.get().get_absolute_url()


def test_alice_who_clicks_twice_brings_her_file_once(client, alice):
    client.force_login(alice)

    def send(content: bytes, token: str = "a" * 64) -> str:
        return client.post("/datasets/new/", form(content, csrfmiddlewaretoken=token)).url

    first = send(CSV)
    assert Dataset.objects.get().upload_bytes == len(CSV)
    assert send(CSV) == first
    assert Dataset.objects.count() == 1
    other = send(CSV + b"1,2,a\n")  # from the same page, but not the same click
    anew = send(CSV, token="b" * 64)
    assert len({first, other, anew}) == Dataset.objects.count() == 3


def test_what_was_typed_is_kept_when_a_file_is_refused(client, alice):
    client.force_login(alice)
    fields = form(b"\x1f\x8b", "a.csv.gz", name="My plants", licence="CC BY 4.0")
    for headers in ({}, {"HX-Request": "true"}):
        fields["file"].seek(0)
        page = text(client.post("/datasets/new/", fields, headers=headers))
        assert errors(page) == ["&#x27;a.csv.gz&#x27; is a gzip archive; unpack it."]
        assert 'value="My plants"' in page
        assert 'value="CC BY 4.0" selected' in page
    assert not Dataset.objects.exists()


def test_the_form_says_what_it_takes(client, alice):
    client.force_login(alice)
    page = text(client.get("/datasets/new/"))
    for told in ("CSV, TSV, Parquet, JSON lines", "50 MB", "200,000 rows", "50 datasets"):
        assert told in page
    assert 'enctype="multipart/form-data"' in page


def test_alice_reads_before_she_brings_a_table_what_becomes_of_its_texts(client, alice):
    client.force_login(alice)
    page = text(client.get("/datasets/new/"))
    rows = [(f"remark {at} of all that I had", "ab"[at % 2], str(at)) for at in range(60)]

    def roles(*columns: int) -> dict[str, str]:
        lines = [("remark", "kind", "age"), *rows]
        content = "\n".join(",".join(line[at] for at in columns) for line in lines)
        recipe = prepared(upload(alice, content.encode())).recipe
        return {column["name"]: column["role"] for column in recipe["columns"]}

    assert "a table whose features are texts: the longest is read" in page
    assert roles(0, 1) == {"remark": "feature", "kind": "target"}
    assert "a column of texts beside other features is left out" in page
    assert roles(2, 0, 1) == {"age": "feature", "remark": "ignored", "kind": "target"}


def test_a_file_is_missing_too_large_or_one_too_many(client, alice, monkeypatch):
    client.force_login(alice)
    assert errors(text(client.post("/datasets/new/", {"name": "x"}))) == ["This field is required."]
    tight(monkeypatch, file_bytes=10)
    assert "has more than 10 bytes" in errors(text(client.post("/datasets/new/", form())))[0]
    tight(monkeypatch, datasets=0)
    assert "as many as your plan keeps" in text(client.post("/datasets/new/", form()))


def test_mallory_names_a_file_with_control_characters(client, mallory):
    client.force_login(mallory)
    page = text(client.post("/datasets/new/", form(name="x\x07y")))
    assert errors(page) == ["must be text that people can see, in one line."]
    assert not Dataset.objects.exists()


def test_a_file_that_cannot_be_read_says_why_and_the_way_out(client, alice):
    client.force_login(alice)
    dataset = prepared(upload(alice, b"a,b\n1,2\n3\n\xff\xfe\xfd,1\n", "broken.csv"))
    assert dataset.status == "failed"
    page = text(client.get(dataset.get_absolute_url()))
    assert "It could not be prepared" in page
    assert dataset.error_code in page
    assert "Bring another file" in page
    assert "Train on this" not in page


# The schema


def test_alice_corrects_a_schema(client, alice):
    client.force_login(alice)
    dataset = prepared(upload(alice))
    address = reverse("training:schema", args=[dataset.slug])
    page = client.get(address)
    fields = schema_form(page)
    assert (fields["kind_0"], fields["role_2"]) == ("number", "target")
    assert 'aria-label="Kind of length"' in text(page)
    fields |= {"kind_1": "category", "missing_0": "0", "sensitive_1": "on", "split_seed": "9"}
    answer = client.post(address, fields)
    assert answer.url == dataset.get_absolute_url()
    dataset = prepared(dataset)
    assert dataset.status == "done", dataset.error_message
    width = dataset.recipe["columns"][1]
    assert (width["kind"], width["sensitive"]) == ("category", True)
    assert sorted(width["values"]) == ["0", "1", "2", "3", "4", "5", "6"]
    assert float(dataset.recipe["columns"][0]["missing"]) == 0
    assert (dataset.split["seed"], dataset.columns) == (9, 8)


def test_alice_goes_back_to_the_schema_that_was_read(client, alice):
    """After two corrections that the rows do not fit."""
    client.force_login(alice)
    dataset = prepared(upload(alice))
    address = reverse("training:schema", args=[dataset.slug])
    assert "?from=last" not in text(client.get(dataset.get_absolute_url()))
    before = schema_form(client.get(address))
    for role in ("target", "feature"):
        wrong = before | {"kind_2": "number", "role_2": role, "role_0": "target"}
        client.post(address, wrong)
        assert prepared(dataset).status == "failed"
    assert f"{address}?from=last" in text(client.get(dataset.get_absolute_url()))
    assert schema_form(client.get(address)) != before
    page = client.get(f"{address}?from=last")
    assert schema_form(page) == before
    assert client.post(f"{address}?from=last", schema_form(page)).url == dataset.get_absolute_url()
    assert prepared(dataset).status == "done", dataset.error_message


def test_a_schema_that_does_not_fit_is_shown_beside_its_fields(client, alice):
    client.force_login(alice)
    dataset = prepared(upload(alice))
    address = reverse("training:schema", args=[dataset.slug])
    fields = schema_form(client.get(address))
    page = client.post(address, fields | {"missing_0": "much", "kind_1": "text"})
    assert page.status_code == 200
    shown = errors(text(page))
    assert any("must be a number" in reason for reason in shown)
    assert 'href="#id_missing_0"' in text(page)
    assert 'value="much"' in text(page)
    page = text(client.post(address, fields | {"split_train": "90", "split_test": "90"}))
    assert "the shares make" in page
    dataset.refresh_from_db()
    assert dataset.status == "done"


def test_a_table_is_read_as_a_series(client, alice):
    client.force_login(alice)
    rows = "day,level\n" + "".join(
        f"2024-{1 + day // 28:02}-{1 + day % 28:02},{day % 7}\n" for day in range(280)
    )
    dataset = prepared(upload(alice, rows.encode(), "levels.csv"))
    address = reverse("training:schema", args=[dataset.slug])
    fields = schema_form(client.get(address)) | {
        "kind": "series",
        "window": "14",
        "horizon": "7",
        "season": "7",
        "role_0": "time",
        "role_1": "target",
        "split_kind": "time",
        "split_column": "day",
    }
    assert client.post(address, fields).status_code == 302
    dataset = prepared(dataset)
    assert dataset.status == "done", dataset.error_message
    assert (dataset.category, dataset.shape["input"]) == ("timeseries", [14, 1])
    page = text(client.get(dataset.get_absolute_url()))
    assert "The series" in page
    again = schema_form(client.get(address))
    assert (again["window"], again["horizon"]) == ("14", "7")


def test_of_very_many_columns_those_are_shown_that_were_asked_for(client, alice):
    client.force_login(alice)
    names = ",".join(f"pixel{number}" for number in range(300))
    rows = "\n".join(
        ",".join(str((row * number) % 5) for number in range(300)) for row in range(30)
    )
    dataset = prepared(upload(alice, f"{names}\n{rows}\n".encode(), "wide.csv"))
    address = reverse("training:schema", args=[dataset.slug])
    assert "276 more columns, not shown here." in text(client.get(dataset.get_absolute_url()))
    page = text(client.get(address))
    assert "200 of 300 columns are shown" in page
    narrow = client.get(f"{address}?q=pixel29")
    assert "11 of 300 columns are shown" in text(narrow)
    fields = schema_form(narrow) | {"role_290": "ignored"}
    assert client.post(f"{address}?q=pixel29", fields).status_code == 302
    dataset.refresh_from_db()
    roles = [column["role"] for column in dataset.recipe["columns"]]
    assert [at for at, role in enumerate(roles) if role == "ignored"] == [290]


def test_a_corrected_schema_that_a_job_stands_on_is_another_version(client, alice, digits):
    client.force_login(alice)
    dataset = prepared(upload(alice))
    config = SMALL | {
        "architecture": {
            "type": "feedforward",
            "layers": [
                {"type": "input", "params": {"size": 2}},
                {"type": "output", "params": {"size": 2, "activation": "softmax"}},
            ],
        }
    }
    training.submit_job(owner=alice, dataset=dataset, config=config, tier=Tier.NANO)
    address = reverse("training:schema", args=[dataset.slug])
    page = client.get(address)
    assert "this makes the next one" in text(page)
    answer = client.post(address, schema_form(page) | {"split_seed": "3"})
    second = Dataset.objects.get(version=2)
    assert answer.url == second.get_absolute_url()
    page = text(client.get(dataset.get_absolute_url()))
    assert "Version 2" in page
    listed = text(client.get("/datasets/"))
    assert second.get_absolute_url() in listed
    assert dataset.get_absolute_url() not in listed  # of a family the newest is listed
    delete = reverse("training:delete_dataset", args=[dataset.slug])
    refused = text(client.post(delete, {"confirmation": dataset.name}))
    assert "cannot be deleted: it is needed by job “" in refused
    assert Dataset.objects.filter(pk=dataset.pk).exists()
    datasets.prepare_dataset(str(second.pk))
    address = reverse("training:schema", args=[second.slug])
    again = client.post(address, schema_form(client.get(address)), follow=True)
    assert "Version 2 has this schema already" in text(again)
    delete = reverse("training:delete_dataset", args=[second.slug])
    gone = text(client.post(delete, {"confirmation": second.name}, follow=True))
    assert "was deleted; its file stays: version 1 of “plants” is read from it." in gone


def pictures() -> bytes:
    """Red and blue squares, in a folder each."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as folder:
        for number in range(20):
            for name, colour in (("red", (200 + number, 0, 0)), ("blue", (0, 0, 200 + number))):
                content = io.BytesIO()
                Image.new("RGB", (8, 8), colour).save(content, "PNG")
                folder.writestr(f"{name}/{number}.png", content.getvalue())
    return file.getvalue()


def test_pictures_are_shown_in_their_colours(client, alice):
    client.force_login(alice)
    dataset = prepared(upload(alice, pictures(), "squares.zip"))
    page = text(client.get(dataset.get_absolute_url()))
    shown = re.findall(
        r'src="data:image/png;base64,([^"]+)" alt="Row \d+">.*?labelled </span>(\w+)<', page
    )
    assert len(shown) == 40
    content, label = shown[0]
    colour = Image.open(io.BytesIO(base64.b64decode(content))).getpixel((3, 3))
    assert colour == ((0, 0, 200) if label == "blue" else (200, 0, 0))


# Lists, names, files


def test_the_list_shows_what_is_there_by_category(client, alice, bob, digits):
    mine = prepared(upload(alice, name="My plants"))
    client.force_login(alice)
    page = text(client.get("/datasets/"))
    assert "Handwritten digits" in page
    assert "My plants" in page
    assert "60</b>" in page
    vision = text(client.get("/datasets/?category=vision"))
    assert "Nothing of this kind" in vision
    assert "My plants" in text(client.get(f"/datasets/?category={mine.category}"))
    client.force_login(bob)
    assert "My plants" not in text(client.get("/datasets/"))


def test_what_alice_brought_last_stands_first_and_what_is_bundled_after_it(client, alice, digits):
    for name in ("Apes", "Zebras", "Bees"):
        upload(alice, name=name)
    client.force_login(alice)
    listed = [dataset.name for dataset in client.get("/datasets/").context["page_obj"]]
    assert listed == ["Bees", "Zebras", "Apes", "Handwritten digits"]


def test_a_category_that_is_none_is_said_with_those_that_are(client, digits):
    answer = client.get("/datasets/?category=nonsense")
    page = answer.content.decode()
    assert answer.status_code == 404
    assert "There is no category “nonsense”" in page
    assert '<a href="?category=vision">vision</a>' in page
    assert "Nothing of this kind" not in page


def test_who_wants_to_train_too_early_is_shown_how_far_the_data_are(client, alice, digits):
    dataset = upload(alice)
    client.force_login(alice)
    early = client.get("/jobs/new/", {"dataset": dataset.slug}, follow=True)
    assert early.redirect_chain == [(dataset.get_absolute_url(), 302)]
    assert "Waiting for a worker" in text(early)
    prepared(dataset)
    assert client.get("/jobs/new/", {"dataset": dataset.slug}).status_code == 200


def test_lists_ask_the_database_the_same_for_many_as_for_one(
    client, alice, django_assert_max_num_queries
):
    client.force_login(alice)
    for number in range(12):
        upload(alice, name=f"Plants {number}")
    with django_assert_max_num_queries(12):
        client.get("/datasets/")


def test_alice_renames_her_data_and_nothing_that_she_typed_is_lost(client, alice):
    client.force_login(alice)
    dataset = prepared(upload(alice))
    rename = reverse("training:rename_dataset", args=[dataset.slug])
    assert client.get(rename).url == f"{dataset.get_absolute_url()}#change"
    assert '<details class="card" id="change">' in text(client.get(dataset.get_absolute_url()))
    for name, reason in (("", "This field is required."), ("x\x07y", "must be text that people")):
        typed = {"name": name, "licence": "CC BY 4.0", "description": "Of the garden."}
        page = text(client.post(rename, typed))
        assert '<details class="card" id="change" open>' in page
        assert errors(page)[0].startswith(reason)
        assert 'value="CC BY 4.0" selected' in page
        assert "Of the garden.</textarea>" in page
    dataset.refresh_from_db()
    assert (dataset.name, dataset.licence) == ("plants", "")
    texts = {"name": "Leaves", "licence": "MIT", "description": ""}
    assert "Leaves" in text(client.post(rename, texts, follow=True))


def test_alice_types_a_name_before_it_is_deleted(client, alice):
    client.force_login(alice)
    dataset = prepared(upload(alice, name="My  plants"))
    delete = reverse("training:delete_dataset", args=[dataset.slug])
    for typed, reason in (({}, "is required"), ({"confirmation": "plants"}, "is not its name")):
        page = text(client.post(delete, typed))
        assert reason in errors(page)[0]
        assert '<details class="card" id="change" open>' in page
    assert Dataset.objects.filter(pk=dataset.pk).exists()
    gone = client.post(delete, {"confirmation": " My plants "}, follow=True)
    assert "was deleted; its file is not kept for you any more." in text(gone)
    assert client.get(dataset.get_absolute_url()).status_code == 404


def test_alice_is_told_of_her_file_what_is_so_and_nothing_of_bobs(
    client, alice, bob, django_capture_on_commit_callbacks
):
    client.force_login(alice)
    first, second, bobs = (
        prepared(upload(owner, name=name))
        for owner, name in ((alice, "First"), (alice, "Second"), (bob, "Bob's"))
    )

    def delete(dataset) -> str:
        address = reverse("training:delete_dataset", args=[dataset.slug])
        with django_capture_on_commit_callbacks(execute=True):
            return text(client.post(address, {"confirmation": dataset.name}, follow=True))

    assert "its file stays: version 1 of “Second” is read from it." in delete(first)
    file = reverse("training:dataset_file", args=[second.slug])
    assert b"".join(client.get(file).streaming_content) == CSV
    assert "was deleted; its file is not kept for you any more." in delete(second)
    assert blobs.get(bobs.upload_sha256) == CSV


def test_a_file_comes_back_as_it_was_brought_and_is_never_shown(client, alice, digits):
    client.force_login(alice)
    dataset = upload(alice, b"<script>alert(1)</script>,1\n", "evil.csv")
    answer = client.get(reverse("training:dataset_file", args=[dataset.slug]))
    assert b"".join(answer.streaming_content) == b"<script>alert(1)</script>,1\n"
    assert answer["ETag"] == f'"{dataset.upload_sha256}"'
    assert answer["Content-Length"] == "28"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"] == 'attachment; filename="evil.csv"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert client.get(reverse("training:dataset_file", args=[digits.slug])).status_code == 404
    rows = client.get(reverse("training:dataset_rows", args=[digits.slug]))
    pieces = list(rows.streaming_content)
    assert sum(map(len, pieces)) == digits.size_bytes
    assert max(map(len, pieces)) <= 2**16  # it never stands in memory whole
    blobs.delete(dataset.upload_sha256)
    gone = client.get(reverse("training:dataset_file", args=[dataset.slug]))
    assert gone.status_code == 503


PAGES = ("dataset", "schema", "dataset_file", "dataset_rows", "croissant")


@pytest.mark.parametrize("name", PAGES)
def test_bob_and_mallory_find_nothing_of_alices(client, alice, bob, mallory, name):
    dataset = prepared(upload(alice))
    address = reverse(f"training:{name}", args=[dataset.slug])
    client.force_login(alice)
    hers = client.get(address)
    assert hers.status_code == 200
    assert hers.getvalue()  # read to its end, which closes a file
    for stranger in (bob, mallory):
        client.force_login(stranger)
        assert client.get(address).status_code == 404
    for act in ("schema", "rename_dataset", "delete_dataset"):
        assert client.post(reverse(f"training:{act}", args=[dataset.slug])).status_code == 404
    client.logout()
    assert client.get(address).status_code in (302, 404)


def test_nobody_corrects_or_deletes_what_is_bundled(client, alice, digits):
    client.force_login(alice)
    assert client.get(reverse("training:schema", args=["digits"])).status_code == 404
    assert client.post(reverse("training:delete_dataset", args=["digits"])).status_code == 404
    assert "Correct the schema" not in text(client.get("/datasets/digits/"))


def test_a_visitor_is_asked_to_sign_in_to_bring_data(client, db):
    assert client.get("/datasets/new/").url.startswith("/account/login/")


# Pictures, texts and what packages bring. The sentences of twelve languages take a second to read.


@pytest.mark.parametrize(
    ("slug", "shown"),
    [
        ("iris", "petal width (cm)"),
        ("digit-pictures", 'class="pixels"'),
        ("languages", 'class="quotes"'),
        ("co2", "The series"),
        ("cartpole", "it is an environment"),
        ("diabetes", 'class="distribution"'),
    ],
)
def test_each_kind_of_bundled_data_is_shown_as_what_it_is(client, db, slug, shown):
    prepared(training.add_bundled_dataset(slug=slug))
    assert shown in text(client.get(f"/datasets/{slug}/"))


def test_alice_is_led_back_from_a_schema_that_nobody_knows_yet(client, alice):
    client.force_login(alice)
    dataset = upload(alice)
    answer = client.get(reverse("training:schema", args=[dataset.slug]), follow=True)
    assert answer.redirect_chain == [(dataset.get_absolute_url(), 302)]
    assert "has no schema to correct" in text(answer)
