"""Whatever mallory sends through the doors: files, schemas, networks. It is taken whole or refused
with a reason, and nothing is left half-stored.

Every example goes the whole way: a request through the site's middleware, real commits, the task
that a worker would run (in this process: importing the parsers anew would take a second a file),
and at the end the door that deletes or cancels. In the campaign there are 10,000 of them, the same
ones every time; each test counts its own.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import services as billing
from billing.models import Hold, Leg, Transfer
from governance import services as governance
from governance.models import AuditEntry, Scope
from tests.conftest import SMALL, empty_queues, person
from tests.training.networks import networks, posted
from tests.training.test_studio import HERE, Visitor
from tests.training.test_uploads_worker import check_outcome
from tests.training.uploads import JSON, damaged_files, schemas, tables, texts_of_schema
from training import services as training
from training import tasks
from training.models import Checkpoint, Dataset, Export, Job, Model, Work

# How many examples of each kind the campaign tries, in tests of about the same length.
EXAMPLES = {"files": 1_300, "tables": 700, "rows": 1_300, "studio": 700, "networks": 6_000}
assert sum(EXAMPLES.values()) >= 10_000
API = "/api/v1/datasets"
JOBS = "/api/v1/training-jobs"
WHATEVER = {"If-Match": "*"}  # is there: what is sent is nonsense often enough
COUNTED = [*apps.get_app_config("training").get_models(), AuditEntry, Hold, Transfer, Leg]
HASHES = {
    Dataset: ("sha256", "upload_sha256"),
    Checkpoint: ("sha256",),
    Model: ("sha256",),
    Export: ("sha256",),
}
COUNT = "SELECT " + ", ".join(f"(SELECT count(*) FROM {m._meta.db_table})" for m in COUNTED)


@dataclass
class Doors:
    """mallory at the site, with a browser and with a key; `tried` counts the examples."""

    folder: Path
    data: Any = None
    tried: int = 0
    told: dict[str, int] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)  # of the studio's page

    def __post_init__(self) -> None:
        self.mallory = person("mallory")
        self.browser = Client()
        self.browser.force_login(self.mallory)
        _, secret = governance.create_api_key(
            owner=self.mallory, name="fuzz", scopes=[Scope.TRAIN, Scope.MODELS_READ]
        )
        self.program = Client(headers={"Authorization": f"Bearer {secret}"})

    def note(self, outcome: str) -> None:
        self.told[outcome] = self.told.get(outcome, 0) + 1

    def begin(self, data: Any) -> None:
        """Clear what an example left that failed, so that the next one fails by itself or not."""
        self.data = data
        Dataset.objects.of(self.mallory).delete()
        for name in self.files() - self.named():
            (self.folder / "blobs" / name[:2] / name).unlink()

    def rows(self) -> dict[str, int]:
        """How many rows every table has that these doors write to."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT)
            return dict(zip((m.__name__ for m in COUNTED), cursor.fetchone(), strict=True))

    def files(self) -> set[str]:
        return {path.name for path in self.folder.rglob("*") if path.is_file()}

    def named(self) -> set[str]:
        """The files that rows name."""
        found: set[str] = set()
        for kind, fields in HASHES.items():
            for values in kind._default_manager.values_list(*fields):
                found |= set(values)
        return found - {""}

    def check_files(self) -> None:
        """Every stored file is named by a row, and every name has its file."""
        assert self.files() == self.named()


@pytest.fixture
def doors(transactional_db, in_this_process, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = settings.STORAGES  # so that the storage looks at it
    doors = Doors(tmp_path / "files")
    yield doors
    assert billing.ledger_faults() == []
    assert governance.verify_audit() == []
    empty_queues()


def check_refusal(answer) -> None:
    """It says what is wrong and with what."""
    if answer.status_code == 200:  # a page that shows the form again
        context = answer.context
        errors = [str(each) for _, found in context["form"].errors.items() for each in found]
    else:
        assert answer.status_code in (400, 404, 409, 413, 422), answer.content
        body = answer.json()
        errors = [body["detail"], *(each["reason"] for each in body.get("invalid_parameters", []))]
        assert body["code"]
    assert errors
    assert all(error.strip() for error in errors)


# Files and rows


def send_file(doors: Doors, content: bytes, name: str):
    if doors.data.draw(st.booleans()):
        body = {"file": SimpleUploadedFile(name, content), "name": "mine"}
        return doors.program.post(API, body, content_type=MULTIPART_CONTENT)
    body = {"file": SimpleUploadedFile(name, content)}
    headers = {"HX-Request": "true"} if doors.data.draw(st.booleans()) else {}
    return doors.browser.post(reverse("training:new_dataset"), body, headers=headers)


def send_rows(doors: Doors, body: object):
    return doors.program.post(API, json.dumps(body), content_type="application/json")


def bring(doors: Doors, send, *what: object) -> None:
    """One example: brought, read, looked at, corrected, read again, deleted."""
    before = doors.rows()
    answer = send(doors, *what)
    dataset = Dataset.objects.first()
    if dataset is None:
        doors.note("refused at the door")
        check_refusal(answer)
    else:
        assert answer.status_code in (200, 202, 302)
        read(doors, dataset)
        if dataset.recipe:
            correct(doors, dataset)
        delete(doors, dataset)
    assert doors.files() == set()
    assert doors.rows() | {"AuditEntry": 0} == before | {"AuditEntry": 0}


def read(doors: Doors, dataset: Dataset) -> None:
    tasks.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    check_outcome(dataset)
    doors.check_files()
    doors.note(f"{dataset.status} in the worker")
    if doors.data.draw(st.integers(0, 3)) == 0:
        assert doors.browser.get(dataset.get_absolute_url()).status_code == 200
    if dataset.recipe and doors.data.draw(st.integers(0, 3)) == 0:
        names = ("training:schema", "training:croissant")
        addresses = [reverse(name, args=[dataset.slug]) for name in names]
        for address in (*addresses, f"{HERE}?dataset={dataset.slug}"):
            assert doors.browser.get(address, follow=True).status_code == 200


def correct(doors: Doors, dataset: Dataset) -> None:
    """Through the form or the API, each with what may be nonsense."""
    recipe, split = doors.data.draw(schemas(dataset.recipe))
    before, rows = Dataset.objects.values().get(), doors.rows()
    if doors.data.draw(st.booleans()):
        body = json.dumps({"recipe": recipe, "split": split})
        answer = doors.program.patch(
            f"{API}/{dataset.slug}", body, content_type="application/json", headers=WHATEVER
        )
    else:
        fields = doors.data.draw(texts_of_schema(recipe, split))
        answer = doors.browser.post(reverse("training:schema", args=[dataset.slug]), fields)
    if answer.status_code in (202, 302):
        doors.note("corrected")
        read(doors, dataset)
        return
    doors.note("correction refused")
    check_refusal(answer)
    assert Dataset.objects.values().get() == before
    assert doors.rows() == rows


def delete(doors: Doors, dataset: Dataset) -> None:
    if doors.data.draw(st.booleans()):
        address = f"{API}/{dataset.slug}"
        assert doors.program.delete(address, headers=WHATEVER).status_code == 204
    else:
        address = reverse("training:delete_dataset", args=[dataset.slug])
        confirmed = {"confirmation": dataset.name}
        assert doors.browser.post(address, confirmed).status_code == 302


NAMES = st.sampled_from(
    ["a.csv", "a", "a.parquet", "a b.npz", "ü.zip", "a\tb.csv", "x" * 250, "\u202ea.csv"]
)


def bring_a_file(doors: Doors) -> None:
    kind, content = doors.data.draw(damaged_files())
    name = f"mine.{kind}" if doors.data.draw(st.integers(0, 3)) else doors.data.draw(NAMES)
    bring(doors, send_file, content, name)


def bring_a_table(doors: Doors) -> None:
    bring(doors, send_file, doors.data.draw(tables()), "mine.jsonl")


ROWS = st.lists(
    st.lists(st.floats(allow_nan=False) | st.integers() | st.text(max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=3), JSON, max_size=3)
    | JSON,
    max_size=8,
)
NUMBERS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(-3, 3) | st.none(), min_size=width, max_size=width),
        min_size=4,
        max_size=12,
    )
)


def bring_rows(doors: Doors) -> None:
    features = doors.data.draw(NUMBERS | NUMBERS | ROWS | JSON)
    body: dict[str, object] = {"features": features}
    if doors.data.draw(st.booleans()):
        size = len(features) if isinstance(features, list) else 1
        same = st.lists(st.sampled_from(["a", "b", 1]), min_size=size, max_size=size)
        body["labels"] = doors.data.draw(same | same | ROWS | JSON)
    if doors.data.draw(st.integers(0, 9)) == 0:
        body |= doors.data.draw(st.dictionaries(st.sampled_from(["X", "name", "licence"]), JSON))
    bring(doors, send_rows, body)


# Networks


def check_submission(doors: Doors, answer, before: dict[str, int], is_placed: bool) -> None:
    """A job with its hold, which goes back whole when it is cancelled; or a reason, and no row."""
    doors.note("placed" if is_placed else "not placed")
    if not is_placed:
        assert doors.rows() == before
        return
    job = Job.objects.select_related("hold").first()
    after = doors.rows()
    grown = {name: after[name] - count for name, count in before.items() if after[name] != count}
    assert grown == {"Job": 1, "Event": 1, "Hold": 1, "AuditEntry": 1}
    held = billing.available_microcredits(doors.mallory)
    assert held == 100_000_000 - job.quote_microcredits
    assert doors.browser.get(job.get_absolute_url()).status_code == 200
    assert doors.program.delete(f"{JOBS}/{job.pk}").status_code == 200
    job.refresh_from_db()
    assert (job.status, job.hold.state) == (Work.Status.CANCELLED, Hold.State.CLOSED)
    assert billing.available_microcredits(doors.mallory) == 100_000_000


def post_to_the_studio(doors: Doors) -> None:
    before = doors.rows()
    headers = {"HX-Request": "true"} if doors.data.draw(st.booleans()) else {}
    fields = posted(doors.data, doors.fields)
    fields.pop("csrfmiddlewaretoken", None)  # of one page, which would start one job once
    answer = doors.browser.post(HERE, fields, headers=headers)
    assert answer.status_code in (200, 302, 404)
    is_placed = answer.status_code == 302
    if answer.status_code == 200 and fields["action"] == "start":
        assert answer.context["summary"]
        assert all(reason.strip() for _, _, reason in answer.context["summary"])
    check_submission(doors, answer, before, is_placed)


def post_a_network(doors: Doors) -> None:
    before = doors.rows()
    body = doors.data.draw(networks(SMALL)) | {"dataset": "digits"}
    answer = doors.program.post(JOBS, json.dumps(body), content_type="application/json")
    is_placed = answer.status_code == 202
    if not is_placed:
        check_refusal(answer)
    check_submission(doors, answer, before, is_placed)


def with_digits(doors: Doors) -> None:
    digits = training.add_bundled_dataset(slug="digits")
    tasks.prepare_dataset(str(digits.pk))
    doors.fields = Visitor(doors.browser, dataset="digits").form.values


TRIALS = {
    "files": bring_a_file,
    "tables": bring_a_table,
    "rows": bring_rows,
    "studio": post_to_the_studio,
    "networks": post_a_network,
}


def try_many(doors: Doors, kind: str, examples: int) -> None:
    if kind in ("studio", "networks"):
        with_digits(doors)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def one(data) -> None:
        doors.begin(data)
        TRIALS[kind](doors)
        doors.tried += 1

    one()
    assert doors.tried >= examples
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(doors.told.items()))
    print(f"{kind}: {doors.tried:,} examples: {told}")  # noqa: T201
    doors.check_files()


@pytest.mark.parametrize("kind", TRIALS)
def test_mallory_sends_anything_and_it_is_stored_whole_or_refused(doors, kind):
    """Slow: real commits, and tables that are emptied after it."""
    try_many(doors, kind, 12)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", TRIALS)
def test_mallory_sends_anything_ten_thousand_times(doors, kind):
    """All kinds together are 10,000 examples."""
    try_many(doors, kind, EXAMPLES[kind])
