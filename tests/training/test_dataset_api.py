"""Datasets by program, and their description as Croissant."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import MULTIPART_CONTENT

from governance import services as governance
from governance.models import Scope
from tests.conftest import SMALL
from tests.training.test_uploads import CSV, RECIPE, SPLIT, tight, upload
from training import services as training
from training.models import Dataset, Job
from training.runner import chunks, datasets

ADDRESS = "/api/v1/datasets"
pytestmark = pytest.mark.usefixtures("in_this_process")


class Caller:
    """A program with a person's key."""

    def __init__(self, user, scopes=tuple(Scope)) -> None:
        _, self.secret = governance.create_api_key(owner=user, name="test", scopes=scopes)

    def __call__(self, method, address, body=None, **headers):
        headers |= {"Authorization": f"Bearer {self.secret}"}
        if method in ("PATCH", "PUT", "DELETE"):
            headers = {"If-Match": "*"} | headers
        text = json.dumps(body) if body is not None else ""
        return Client().generic(
            method, address, text, content_type="application/json", headers=headers
        )

    def upload(self, content=CSV, name="plants.csv", *, fields=(), **headers):
        headers |= {"Authorization": f"Bearer {self.secret}"}
        body = dict(fields) | {"file": SimpleUploadedFile(name, content)}
        return Client().post(ADDRESS, body, content_type=MULTIPART_CONTENT, headers=headers)


def prepare(slug: str) -> Dataset:
    dataset = Dataset.objects.get(slug=slug)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert dataset.status == "done", dataset.error_message
    return dataset


def test_alice_brings_a_file_looks_corrects_and_deletes(alice):
    call = Caller(alice)
    made = call.upload(fields={"name": "Plants", "licence": "MIT"})
    assert made.status_code == 202
    body = made.json()
    assert (body["name"], body["status"], body["format"]) == ("Plants", "queued", "csv")
    address = made["Location"]
    assert address == f"{ADDRESS}/{body['slug']}"
    prepare(body["slug"])
    seen = call("GET", address).json()
    assert (seen["status"], seen["rows"], seen["classes"]) == ("done", 60, ["a", "b"])
    assert sum(seen["part_rows"].values()) == 60
    assert seen["report"]["health"]
    seen_as = {"If-Match": call("GET", address)["ETag"]}
    changed = call("PATCH", address, {"split": SPLIT}, **seen_as)
    assert changed.status_code == 202
    assert changed.json()["split"]["seed"] == 3
    assert changed.json()["recipe"] == seen["asked"]  # left out, it stays
    prepare(body["slug"])
    stale = call("DELETE", address, **seen_as)
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    blind = call("DELETE", address, **{"If-Match": ""})
    assert (blind.status_code, blind.json()["code"]) == (428, "precondition_required")
    seen_as = {"If-Match": call("GET", address)["ETag"]}
    assert call("DELETE", address, **seen_as).status_code == 204
    assert call("GET", address).status_code == 404


@pytest.mark.parametrize("features", ["features", "X", "data"])
@pytest.mark.parametrize("labels", ["labels", "y", "targets"])
def test_rows_in_a_request_are_taken_in_every_spelling(alice, features, labels):
    made = Caller(alice)("POST", ADDRESS, {features: [[1, 2], [3, 4]], labels: ["a", "b"]})
    assert made.status_code == 202, made.json()
    assert made.json()["format"] == "jsonl"


def test_the_same_key_brings_a_file_once(alice):
    call = Caller(alice)
    first = call.upload(**{"Idempotency-Key": "one"})
    again = call.upload(**{"Idempotency-Key": "one"})
    assert (first.status_code, again.json()) == (202, first.json())
    assert again["Idempotency-Replayed"] == "true"
    other = call.upload(CSV + b"1,2,a\n", **{"Idempotency-Key": "one"})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    renamed = call.upload(fields={"name": "Else"}, **{"Idempotency-Key": "one"})
    assert renamed.status_code == 422
    assert Dataset.objects.count() == 1


def test_refusals_name_the_field(alice, monkeypatch):
    call = Caller(alice)
    wrong = [
        (call.upload(b"\x80\x04", "a.pkl"), 422, "invalid_upload", "save the arrays as .npz"),
        (call.upload(b"", "a.csv"), 422, "invalid_upload", "is empty"),
        (call.upload(fields={"name": "a\x07"}), 422, "invalid_upload", "name: "),
        (call.upload(fields={"licence": "none"}), 400, "invalid_parameters", "licence: "),
        (call("POST", ADDRESS, {}), 400, "invalid_parameters", "features: is required"),
        (call("POST", ADDRESS, []), 400, "invalid_parameters", "features: "),
        (call("POST", ADDRESS, {"X": [[1]], "data": [[1]]}), 400, "invalid_parameters", "send one"),
        (call("POST", ADDRESS, {"X": [[1]], "y": [1, 2]}), 422, "invalid_upload", "labels: has 2"),
    ]
    tight(monkeypatch, file_bytes=10)
    wrong.append((call.upload(), 413, "upload_too_large", "file: has more than 10 bytes"))
    for answer, status, code, detail in wrong:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), problem
        assert detail in problem["detail"]
        assert answer["Content-Type"] == "application/problem+json"
    assert not Dataset.objects.exists()


def test_a_schema_that_does_not_fit_is_a_problem_with_paths(alice):
    call = Caller(alice)
    slug = call.upload().json()["slug"]
    early = call("PATCH", f"{ADDRESS}/{slug}", {"recipe": RECIPE})
    assert (early.status_code, early.json()["code"]) == (409, "not_ready")
    prepare(slug)
    recipe = RECIPE | {"columns": [*RECIPE["columns"][:2], {"name": "kind", "kind": "plant"}]}
    problem = call("PATCH", f"{ADDRESS}/{slug}", {"recipe": recipe}).json()
    assert problem["code"] == "invalid_schema"
    assert problem["invalid_parameters"][0]["field"] == "recipe.columns[2].kind"


def test_a_list_is_read_page_by_page_and_by_category(alice, bob, digits):
    for number in range(3):
        upload(alice, name=f"Plants {number}")
    upload(bob, name="Bob's")
    call = Caller(alice)
    names = {row["name"] for row in call("GET", ADDRESS).json()["datasets"]}
    assert names == {"Plants 0", "Plants 1", "Plants 2", "Handwritten digits"}
    found = call("GET", f"{ADDRESS}?category=regression").json()
    assert found == {"datasets": [], "count": 0, "next": None}
    problem = call("GET", f"{ADDRESS}?category=nonsense")
    assert (problem.status_code, problem.json()["code"]) == (400, "invalid_parameters")
    assert "category: 'nonsense' is none of classification, regression" in problem.json()["detail"]


def test_strangers_find_nothing_and_keys_do_no_more_than_they_say(alice, bob, mallory):
    dataset = upload(alice)
    address = f"{ADDRESS}/{dataset.slug}"
    for stranger in (bob, mallory):
        call = Caller(stranger)
        assert call("GET", address).status_code == 404
        assert call("PATCH", address, {"split": SPLIT}).status_code == 404
        assert call("DELETE", address).status_code == 404
    reader = Caller(alice, [Scope.MODELS_READ])
    assert reader("GET", address).status_code == 200
    for answer in (reader("DELETE", address), reader.upload(), reader("PATCH", address, {})):
        assert answer.status_code == 403
    assert Client().get(ADDRESS).status_code == 401
    assert Dataset.objects.get() == dataset


def test_nobody_changes_what_is_bundled(alice, digits):
    call = Caller(alice)
    for answer in (
        call("DELETE", f"{ADDRESS}/digits"),
        call("PATCH", f"{ADDRESS}/digits", {"split": SPLIT}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


def test_a_job_is_asked_for_with_its_rows_and_again_once_they_are_read(alice):
    call = Caller(alice)
    rows = {
        "features": [[number / 10, number % 3] for number in range(40)],
        "labels": [number % 2 for number in range(40)],
    }
    config = SMALL | {
        "architecture": {
            "type": "feedforward",
            "layers": [
                {"type": "input", "params": {"size": 2}},
                {"type": "output", "params": {"size": 2, "activation": "softmax"}},
            ],
        }
    }
    ask = {"config": config, "dataset": rows}
    early = call("POST", "/api/v1/training-jobs", ask)
    told = early.json()
    assert (early.status_code, told["code"], early["Retry-After"]) == (409, "not_ready", "2")
    assert (told["dataset_status"], told["dataset_url"]) == (
        "queued",
        f"{ADDRESS}/{told['dataset']}",
    )
    assert call("GET", told["dataset_url"]).json()["steps"][1] == {
        "label": "Waiting for a worker",
        "state": "current",
    }
    prepare(told["dataset"])
    assert call("GET", told["dataset_url"]).json()["status"] == "done"
    assert call("POST", "/api/v1/training-jobs", ask).status_code == 202
    assert Job.objects.get().dataset == Dataset.objects.get()
    wrong = call("POST", "/api/v1/training-jobs", ask | {"dataset": 7})
    assert wrong.status_code == 400
    missing = call("POST", "/api/v1/training-jobs", ask | {"dataset": "nowhere"})
    assert missing.status_code == 404
    assert missing.json()["code"] == "unknown_dataset"
    assert missing.json()["detail"] == (
        "dataset: 'nowhere' is no dataset that you can see; they are listed at /api/v1/datasets."
    )
    assert call("POST", "/api/v1/training-jobs", ask | {"dataset": "\0"}).status_code == 404


def test_alice_sends_every_example_that_the_api_gives_of_itself(alice, digits):
    call = Caller(alice)
    paths = call("GET", "/api/schema/?format=json").json()["paths"]
    examples = [
        (method.upper(), address, example["value"])
        for address, operations in paths.items()
        for method, operation in operations.items()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]
    assert ("POST", "/api/v1/training-jobs") in [example[:2] for example in examples]
    for example in examples:
        answer = call(*example)
        if answer.status_code == 409:
            prepare(answer.json()["dataset"])
            answer = call(*example)
        assert answer.status_code in (200, 201, 202), (example, answer.json())
    chunks.run_turn()
    assert set(Job.objects.values_list("status", flat=True)) == {"done"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"training": {"epochs": 1, "batch_size": 2, "learning_rate": 0.1}}, "training.optimizer"),
        ({"architecture": {"type": "feedforward", "layers": []}}, "architecture.layers"),
        ({"divergent": {"enabled": "yes"}}, "divergent.enabled"),
    ],
)
def test_alice_hears_what_is_wrong_with_her_network_before_her_rows_are_kept(alice, change, field):
    rows = {"features": [[1, 2]] * 8, "labels": ["a", "b"] * 4}
    ask = {"config": SMALL | change, "dataset": rows}
    answer = Caller(alice)("POST", "/api/v1/training-jobs", ask)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_config")
    assert [each["field"] for each in answer.json()["invalid_parameters"]] == [field]
    assert not Dataset.objects.exists()


def test_alice_is_not_told_to_wait_for_rows_that_were_not_to_be_read(alice):
    """Sent again they are the dataset that failed, and not one more that will."""
    call = Caller(alice)
    ask = {"config": SMALL, "dataset": {"features": [[1], [2]], "labels": ["a", "b"]}}
    early = call("POST", "/api/v1/training-jobs", ask)
    assert early.status_code == 409
    dataset = Dataset.objects.get()
    assert dataset.name == "Inline rows (2)"
    datasets.prepare_dataset(str(dataset.pk))
    again = call("POST", "/api/v1/training-jobs", ask)
    assert (again.status_code, again.json()["code"]) == (422, "invalid_config")
    assert "has 2 rows; bring at least 4" in again.json()["detail"]
    assert Dataset.objects.get() == dataset


def test_rows_that_cannot_be_read_are_not_waited_for(alice):
    """They never become a job, so the answer says why and not when to come again."""
    call = Caller(alice)
    slug = call("POST", ADDRESS, {"features": [[1], [2]], "labels": ["a", "b"]}).json()["slug"]
    datasets.prepare_dataset(str(Dataset.objects.get(slug=slug).pk))
    answer = call("POST", "/api/v1/training-jobs", {"config": SMALL, "dataset": slug})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_config")
    assert (
        "could not be read: “inline.jsonl” has 2 rows; bring at least 4" in answer.json()["detail"]
    )
    assert "Retry-After" not in answer


def test_a_program_reads_what_is_wrong_with_the_data_as_a_person_does(alice):
    call, dataset = Caller(alice), prepare(upload(alice).slug)
    found = call("GET", f"{ADDRESS}/{dataset.slug}").json()
    levels = [each["level"] for each in found["health"]]
    assert levels == sorted(levels, key=["bad", "warn", "ok"].index)
    assert {each["word"] for each in found["health"]} <= {"mend", "look", "fine"}
    assert found["is_used"] is False
    assert {step["state"] for step in found["steps"]} == {"done"}


# Croissant


def croissant(client, dataset) -> dict:
    answer = client.get(f"{dataset.get_absolute_url()}croissant.json")
    assert answer["Content-Type"] == (
        'application/ld+json; profile="http://mlcommons.org/croissant/1.1"'
    )
    return json.loads(answer.content)


def identities(node) -> list[str]:
    """The `@id` of every node that has more than that: those that are defined."""
    if isinstance(node, list):
        return [found for each in node for found in identities(each)]
    if not isinstance(node, dict):
        return []
    own = [node["@id"]] if "@id" in node and "@type" in node else []
    return own + [
        found for key, each in node.items() if key != "@context" for found in identities(each)
    ]


def references(node) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["@id"]] if set(node) == {"@id"} else []
    return own + [
        found for key, each in node.items() if key != "@context" for found in references(each)
    ]


def check_croissant(found: dict) -> None:
    """What version 1.1 asks of every description."""
    required = {"@context", "@type", "conformsTo", "name", "description", "url", "license"}
    required |= {"creator", "datePublished", "distribution"}
    assert required <= set(found)
    assert found["@type"] == "sc:Dataset"
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert found["@context"]["conformsTo"] == "dct:conformsTo"
    defined = identities(found)
    assert len(set(defined)) == len(defined)
    assert set(references(found)) <= set(defined)
    for file in found["distribution"]:
        assert file["@type"] in ("cr:FileObject", "cr:FileSet")
        assert file["encodingFormat"]
        if file["@type"] == "cr:FileObject":
            assert len(file["sha256"]) == 64
            assert file["contentUrl"].startswith("http")
            assert file["contentSize"].endswith(" B")
    for records in found["recordSet"]:
        assert records["@type"] == "cr:RecordSet"
        for field in records["field"]:
            assert field["@type"] == "cr:Field"
            assert field["@id"].startswith(f"{records['@id']}/")
            assert field["dataType"]
            assert "source" in field or "data" in records


def test_a_table_is_described_as_croissant(client, alice):
    client.force_login(alice)
    dataset = prepare(upload(alice, licence="CC BY 4.0", description="Plants.").slug)
    found = croissant(client, dataset)
    check_croissant(found)
    assert found["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert found["creator"] == {"@type": "sc:Person", "name": "alice"}
    assert found["version"] == "1.0.0"
    brought, rows = found["distribution"]
    assert (brought["sha256"], brought["name"]) == (dataset.upload_sha256, "plants.csv")
    assert rows["sha256"] == dataset.sha256
    splits, records = found["recordSet"]
    assert splits["dataType"] == "cr:Split"
    assert [row["splits/url"] for row in splits["data"]] == [
        "cr:TrainingSplit",
        "cr:ValidationSplit",
        "cr:TestSplit",
    ]
    assert sum(row["splits/rows"] for row in splits["data"]) == 60
    length, _, kind, part = records["field"]
    assert (length["dataType"], length["source"]["extract"]) == ("sc:Float", {"column": "length"})
    assert kind["dataType"] == ["sc:Text", "cr:Label"]
    assert part["references"] == {"@id": "splits/name"}


@pytest.mark.parametrize("slug", ["digits", "digit-pictures", "co2", "cartpole"])
def test_bundled_data_are_described_as_croissant(client, db, slug):
    found = croissant(client, prepare(training.add_bundled_dataset(slug=slug).slug))
    check_croissant(found)


def test_arrays_and_json_lines_are_described_too(client, alice):
    client.force_login(alice)
    rows = io.BytesIO(
        b"".join(b'{"a": %d, "b": "%s"}\n' % (n, b"xy"[n % 2 : n % 2 + 1]) for n in range(40))
    )
    dataset = prepare(upload(alice, rows.getvalue(), "a.jsonl").slug)
    found = croissant(client, dataset)
    check_croissant(found)
    assert found["recordSet"][1]["field"][0]["source"]["extract"] == {"jsonPath": "$['a']"}
    assert found["license"]["@type"] == "sc:CreativeWork"
