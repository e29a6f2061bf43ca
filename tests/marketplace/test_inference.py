"""The Open Inference Protocol: bob's programs ask models here as they ask any inference server."""

import contextlib
import json
import shutil
import threading
import time
import uuid

import numpy as np
import pytest
import uvicorn
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from billing import services as billing
from billing.models import UsageEvent
from config.threads import Lanes, Threads
from governance import services as governance
from governance.models import Scope
from kernels import build, modelfile
from kernels.exchange import wasm
from kernels.exchange.wasm import Texts
from marketplace import services as marketplace
from marketplace.forms import tensors
from marketplace.forms.tensors import InvalidTensors
from marketplace.models import Deployment
from marketplace.runner.routing import picked
from tests.kernels.test_loader import BITS, LOADER, node
from tests.marketplace.metered import usage
from tests.marketplace.versions import another_version, sibling
from tests.training.test_answers import model_of
from tests.training.test_asking import TABLE_ROWS, model_on
from tests.training.uploads import bring
from training import services as training
from training.runner import answers, blobs
from training.services import predictions

NODE = shutil.which("node")
JSON_LENGTH = "Inference-Header-Content-Length"


@pytest.fixture
def ask():
    """A program of a person's: `ask(bob)("GET", "/v2/models/…")`."""

    def of(user, scopes=(Scope.PREDICT,)):
        _, secret = governance.create_api_key(owner=user, name="program", scopes=list(scopes))
        headers = {"Authorization": f"Bearer {secret}"}

        def call(method, address, body=b"", **more):
            content = body if isinstance(body, bytes) else json.dumps(body)
            kind = "application/octet-stream"
            answer = Client().generic(method, address, content, kind, headers=headers | more)
            if method == "GET" or answer.status_code != 200 or JSON_LENGTH not in answer:
                return answer.status_code, answer.json()
            return answer, answer.content

        return call

    return of


@pytest.fixture
def rows(digits):
    found = training.preview_rows(dataset=digits, count=5, part=training.Part.TEST)
    return np.array([row.values for row in found], np.float32)


def tensor(rows, datatype="FP32", name="input", **more):
    if not more:
        more = {"data": rows.ravel().tolist()}
    return {"name": name, "shape": list(rows.shape), "datatype": datatype} | more


def as_bytes(question, *parts):
    """A body with its JSON first, and how long that is."""
    head = json.dumps(question).encode()
    return b"".join([head, *parts]), {JSON_LENGTH: str(len(head))}


def of(body, name="probabilities"):
    (found,) = [output for output in body["outputs"] if output["name"] == name]
    return np.array(found["data"], np.float32).reshape(found["shape"])


def predicted(model, rows):
    """What `predict` says, as an array."""
    found = training.predict(model=model, rows=rows.tolist())
    return np.array([list(one.probabilities.values()) for one in found], np.float32)


# What is there


def test_the_server_tells_anybody_that_it_lives_and_what_it_speaks(client, db):
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 200


def test_alice_sees_what_her_model_takes_and_gives(ask, alice, trained):
    call = ask(alice)
    assert call("GET", f"/v2/models/{trained.pk}") == (
        200,
        {
            "name": str(trained.pk),
            "versions": ["1"],
            "platform": "wasm_simd128",
            "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 64]}],
            "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}],
        },
    )
    ready = (200, {"name": str(trained.pk), "ready": True})
    assert call("GET", f"/v2/models/{trained.pk}/ready") == ready


# The same bits


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT32", "UINT8", "INT64"])
def test_numbers_of_any_type_are_answered_with_the_bits_of_predict(
    ask, alice, trained, rows, datatype
):
    expected = predicted(trained, rows).tobytes()
    whole = rows.astype(tensors.NUMBERS[datatype])
    for data in (whole.ravel().tolist(), whole.tolist()):
        asked = {"id": "7", "inputs": [tensor(rows, datatype, data=data)]}
        status, body = ask(alice)("POST", f"/v2/models/{trained.pk}/infer", asked)
        assert (status, body["id"], body["model_version"]) == (200, "7", "1")
        assert of(body).tobytes() == expected
    sent = tensor(rows, datatype, parameters={"binary_data_size": whole.nbytes})
    content, header = as_bytes({"inputs": [sent]}, whole.tobytes())
    status, body = ask(alice)("POST", f"/v2/models/{trained.pk}/infer", content, **header)
    assert "id" not in body
    assert of(body).tobytes() == expected


@pytest.mark.parametrize(
    "how",
    [
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}]},
    ],
)
def test_an_answer_comes_as_bytes_where_bytes_are_wanted(ask, alice, trained, rows, how):
    asked = how | {"inputs": [tensor(rows)]}
    answer, content = ask(alice)("POST", f"/v2/models/{trained.pk}/infer", asked)
    end = int(answer[JSON_LENGTH])
    (output,) = json.loads(content[:end])["outputs"]
    assert output["parameters"] == {"binary_data_size": 4 * 5 * 10}
    assert content[end:] == predicted(trained, rows).tobytes()


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_the_browsers_loader_gives_the_same_bits(ask, alice, trained, rows, tmp_path):
    model = modelfile.load(blobs.get(trained.sha256))
    texts = Texts({"features": list(model.signature.features), "classes": []}, {})
    path = tmp_path / "digits.wasm"
    path.write_bytes(wasm.export(model.graph, model.arrays, texts, build.module()))
    found = node(BITS, LOADER.as_uri(), path.as_uri(), rows.tolist())
    _, body = ask(alice)("POST", f"/v2/models/{trained.pk}/infer", {"inputs": [tensor(rows)]})
    assert of(body).view(np.uint32).ravel().tolist() == found["probabilities"]


def test_a_table_with_words_is_asked_by_its_columns(ask, alice, settings):
    settings.TRAINING_READER = []  # in this process
    model = model_on(bring(alice, TABLE_ROWS, "csv"))
    call = ask(alice)
    _, about = call("GET", f"/v2/models/{model.pk}")
    columns = {"length": [3, 5], "colour": ["red", "blue"], "seen": ["2024-01-02", "2024-02-03"]}
    assert [(port["name"], port["datatype"], port["shape"]) for port in about["inputs"]] == [
        ("length", "FP64", [-1, 1]),
        ("colour", "BYTES", [-1, 1]),
        ("seen", "BYTES", [-1, 1]),
    ]
    question = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    expected = predicted(model, np.array(question)).tobytes()
    words = b"".join(len(word).to_bytes(4, "little") + word.encode() for word in columns["colour"])
    length = {"name": "length", "shape": [2], "datatype": "INT64", "data": columns["length"]}
    seen = {"name": "seen", "shape": [2, 1], "datatype": "BYTES", "data": columns["seen"]}
    colour = {"name": "colour", "shape": [2, 1], "datatype": "BYTES"}
    for asked, behind in (
        (colour | {"data": columns["colour"]}, b""),
        (colour | {"parameters": {"binary_data_size": len(words)}}, words),
    ):
        content, header = as_bytes({"inputs": [length, asked, seen]}, behind)
        status, body = call("POST", f"/v2/models/{model.pk}/infer", content, **header)
        assert status == 200, body
        assert of(body).tobytes() == expected
    wrong = {"inputs": [length, seen, colour | {"data": ["red", "rod"]}]}
    status, problem = call("POST", f"/v2/models/{model.pk}/infer", wrong)
    assert (status, "never seen in training" in problem["error"]) == (422, True)


def test_a_model_of_texts_takes_the_numbers_of_tokens(ask, alice):
    model = model_of(alice, "languages", epochs=1)
    question = training.example_question(model=model, viewer=alice)
    expected = predicted(model, np.array([question], object)).tobytes()
    with predictions.answering(model.sha256) as network:
        tokens = answers.encoded(network, question)
    inputs = [tensor(tokens, "INT64", name=network.takes.name)]
    _, about = ask(alice)("GET", f"/v2/models/{model.pk}")
    assert about["inputs"][0]["datatype"] == "UINT32"
    status, body = ask(alice)("POST", f"/v2/models/{model.pk}/infer", {"inputs": inputs})
    assert of(body).tobytes() == expected


# Whose it is


def test_bob_asks_by_the_templates_address_its_version_the_deployment_or_the_model(
    ask, bob, deployment, template, rows
):
    expected = predicted(deployment.model, rows).tobytes()
    call, question = ask(bob), {"inputs": [tensor(rows)]}
    slug = template.slug
    names = [slug, f"{slug}/versions/1", str(deployment.pk), str(deployment.model_id)]
    for name in names:
        status, body = call("POST", f"/v2/models/{name}/infer", question)
        assert (status, body["model_name"]) == (200, name.split("/")[0])
        assert of(body).tobytes() == expected
    assert call("GET", f"/v2/models/{slug}")[1]["versions"] == ["1"]
    assert usage(deployment).microcredits == len(names) * len(rows) * 1_000
    for version in ("2", "0", "x", "1" * 30):
        status, body = call("POST", f"/v2/models/{slug}/versions/{version}/infer", question)
        assert (status, body["code"]) == (404, "not_deployed")


def test_a_canary_says_its_own_version_and_a_deployments_id_its_own_versions(
    ask, bob, deployment, template, rows
):
    another_version(template, model=sibling(template))
    marketplace.start_canary(actor=bob, deployment=deployment, version=2, share=50)
    another_version(template, model=sibling(template))
    other = marketplace.deploy_template(owner=bob, template=template)
    call, question = ask(bob), {"inputs": [tensor(rows)]}
    told = [call("POST", f"/v2/models/{deployment.pk}/infer", question)[1] for _ in range(12)]
    named = {
        str(route.version.number): route
        for route in marketplace.routes_now(Deployment.objects.get(pk=deployment.pk))
    }
    for body in told:
        event_id = uuid.UUID(body["parameters"]["prediction_id"])
        assert picked(list(named.values()), event_id) == named[body["model_version"]]
    for name, versions in (
        (deployment.pk, ["1", "2"]),
        (other.pk, ["3"]),
        (template.slug, ["1", "2", "3"]),
        (deployment.model_id, ["1"]),
    ):
        assert call("GET", f"/v2/models/{name}")[1]["versions"] == versions


def test_mallory_asks_what_is_not_hers_in_vain(ask, mallory, deployment, template, rows):
    call, question = ask(mallory), {"inputs": [tensor(rows)]}
    names = [template.slug, str(deployment.pk), str(deployment.model_id), str(uuid.uuid4()), "x"]
    for name in names:
        for method, address in (("POST", "/infer"), ("GET", ""), ("GET", "/ready")):
            status, body = call(method, f"/v2/models/{name}{address}", question)
            assert (status, body["code"]) == (404, "not_deployed")
            assert body["error"] == body["detail"] != ""
    assert not UsageEvent.objects.exists()


def test_a_stopped_deployment_is_no_longer_there(ask, bob, deployment, template):
    marketplace.stop_deployment(actor=bob, deployment=deployment)
    for name in (template.slug, deployment.pk, deployment.model_id):
        assert ask(bob)("GET", f"/v2/models/{name}/ready")[0] == 404


def test_without_a_key_or_its_scope_nobody_is_answered(client, ask, alice, trained):
    address = f"/v2/models/{trained.pk}"
    assert client.get(address).status_code == 401
    client.force_login(alice)
    assert client.post(f"{address}/infer").status_code == 401  # no page of another site asks here
    status, body = ask(alice, scopes=[Scope.MODELS_READ])("GET", address)
    assert (status, "predict" in body["detail"]) == (403, True)


# What it costs


def test_the_same_question_under_the_same_key_is_charged_once(ask, alice, trained, rows):
    call, where = ask(alice), f"/v2/models/{trained.pk}/infer"
    key = {"Idempotency-Key": "monday"}
    first = call("POST", where, {"inputs": [tensor(rows)]}, **key)
    assert call("POST", where, {"inputs": [tensor(rows)]}, **key) == first
    assert UsageEvent.objects.count() == 1
    assert call("POST", where, {"inputs": [tensor(rows[::-1])]}, **key)[0] == 200
    assert UsageEvent.objects.count() == 2  # another question
    assert first[1]["parameters"]["credits"] == "0.0005"


def test_who_has_no_credits_gets_no_answer(ask, bob, deployment, rows):
    billing.hold(
        owner=bob,
        amount_microcredits=billing.available_microcredits(bob),
        key="all",
        reason="everything",
    )
    where = f"/v2/models/{deployment.pk}/infer"
    status, body = ask(bob)("POST", where, {"inputs": [tensor(rows)]})
    assert (status, body["code"]) == (409, "insufficient_credits")
    assert "outputs" not in body


# What is not as the protocol has it

GOOD = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("[]", "The body: must be an object"),
        ("{", "The body is no JSON"),
        ('{"inputs": [NaN]}', "NaN is no number of JSON"),
        ("[" * 100_000, "The body is no JSON"),
        ({}, "inputs: must be a list of 1 to 1,000, not null"),
        ({"inputs": []}, "inputs: must be a list"),
        ({"inputs": [1]}, r"inputs\[0\]: must be an object"),
        ({"inputs": [GOOD], "id": 7}, "id: must be a text"),
        ({"inputs": [GOOD], "parameters": 7}, "parameters: must be an object"),
        ({"inputs": [GOOD, GOOD]}, r"inputs\[1\].name: 'input' is there twice"),
        ({"inputs": [GOOD | {"name": ""}]}, "name: must be a text"),
        ({"inputs": [GOOD | {"datatype": "BF16"}]}, "datatype: must be one of BOOL.*not 'BF16'"),
        ({"inputs": [GOOD | {"shape": [-1, 2]}]}, "shape: must be whole numbers from 0"),
        ({"inputs": [GOOD | {"shape": [True, 2]}]}, "shape: must be whole numbers from 0"),
        ({"inputs": [GOOD | {"shape": []}]}, "shape: must be a list"),
        ({"inputs": [GOOD | {"shape": [2, 2]}]}, r"has 2 values; its shape \[2, 2\] has 4"),
        ({"inputs": [GOOD | {"data": [1, "2"]}]}, "data: '2' is no FP32"),
        ({"inputs": [GOOD | {"data": [1, True]}]}, "data: true is no FP32"),
        ({"inputs": [GOOD | {"data": [[1], 2]}]}, "data: must be flat, or nested"),
        ({"inputs": [GOOD | {"data": 7}]}, "data: must be a list"),
        ({"inputs": [GOOD | {"datatype": "INT8", "data": [1, 300]}]}, "a value is no INT8"),
        ({"inputs": [GOOD | {"datatype": "INT8", "data": [1, 0.5]}]}, "data: 0.5 is no INT8"),
        ({"inputs": [{k: v for k, v in GOOD.items() if k != "data"}]}, "must have data, or"),
        (
            {"inputs": [GOOD | {"parameters": {"shared_memory_region": "x"}}]},
            "shared memory is not offered",
        ),
        (
            {"inputs": [GOOD], "outputs": [{"name": "p", "parameters": {"classification": 3}}]},
            r"outputs\[0\].parameters: shared memory and classification are not offered",
        ),
    ],
)
def test_what_is_no_question_is_refused_with_the_reason(question, reason):
    text = question if isinstance(question, str) else json.dumps(question)
    with pytest.raises(InvalidTensors, match=reason):
        tensors.read(text.encode(), None)


SENT = {k: v for k, v in GOOD.items() if k != "data"}


@pytest.mark.parametrize(
    ("size", "behind", "length", "reason"),
    [
        (8, b"x" * 7, None, "as many bytes behind the JSON, where 7 are left"),
        (8, b"x" * 9, None, "ends with 1 bytes that belong to no input"),
        (7, b"x" * 7, None, "7 bytes are not 2 values of FP32"),
        (-1, b"", None, "must have data"),
        (True, b"x", None, "must have data"),
        (8, b"x" * 8, "1e3", "Inference-Header-Content-Length: must be"),
        (8, b"x" * 8, "99999", "Inference-Header-Content-Length: must be"),
        (8, b"x" * 8, "5", "The body is no JSON"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_with_the_reason(size, behind, length, reason):
    question = {"inputs": [SENT | {"parameters": {"binary_data_size": size}}]}
    body, header = as_bytes(question, behind)
    with pytest.raises(InvalidTensors, match=reason):
        tensors.read(body, length or header[JSON_LENGTH])


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), length=st.none() | st.text(max_size=5))
def test_whatever_mallory_sends_is_read_or_refused(body, length):
    for content in (body, json.dumps({"inputs": [SENT]}).encode() + body):
        with contextlib.suppress(InvalidTensors):
            tensors.read(content, length)


def test_bad_questions_are_answered_with_a_problem_and_cost_nothing(ask, alice, trained, rows):
    call, where = ask(alice), f"/v2/models/{trained.pk}/infer"
    for asked, status, code in (
        ({"inputs": [tensor(rows, name="x")]}, 422, "invalid_rows"),
        ({"inputs": [tensor(rows[:, :7])]}, 422, "invalid_rows"),
        ({"inputs": [tensor(np.zeros((1001, 64), "f4"))]}, 422, "invalid_rows"),
        ({"inputs": [tensor(rows)], "outputs": [{"name": "x"}]}, 422, "invalid_rows"),
        ({"inputs": [tensor(rows + np.float32(3e38))]}, 422, "invalid_rows"),
        ({"inputs": 7}, 400, "invalid_tensors"),
    ):
        found, problem = call("POST", where, asked)
        assert (found, problem["code"]) == (status, code), problem
        assert problem["error"] == problem["detail"] != ""
    found, problem = call("POST", where, b"x", **{"Content-Encoding": "gzip"})
    assert (found, "not unpacked" in problem["error"]) == (415, True)
    assert not UsageEvent.objects.exists()


# An unchanged client, over the network


@pytest.fixture
def server(transactional_db):
    """The site on a port of this machine."""
    lanes = Lanes(most=9, most_of_one=9, threads_of_one=2)
    site = Threads(threads=2, waiting_max=9, lanes=lanes)
    config = uvicorn.Config(site, port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    site.threads.shutdown()


def test_tritons_own_client_asks_as_it_asks_triton(server, alice, bob, template, deployment, rows):
    _, secret = governance.create_api_key(owner=bob, name="bob", scopes=[Scope.PREDICT])
    headers = {"Authorization": f"Bearer {secret}"}
    expected = predicted(deployment.model, rows)
    client = triton.InferenceServerClient(server)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "neural-marketplace"
    assert client.is_model_ready(template.slug, headers=headers)
    assert not client.is_model_ready("nowhere", headers=headers)
    about = client.get_model_metadata(template.slug, "1", headers=headers)
    (given,), (found,) = about["inputs"], about["outputs"]
    for sends_bytes, wants_bytes in ((True, True), (True, False), (False, True), (False, False)):
        sent = triton.InferInput(given["name"], list(rows.shape), given["datatype"])
        sent.set_data_from_numpy(rows, binary_data=sends_bytes)
        wanted = triton.InferRequestedOutput(found["name"], binary_data=wants_bytes)
        answer = client.infer(
            template.slug, [sent], outputs=[wanted], request_id="9", headers=dict(headers)
        )
        assert answer.as_numpy(found["name"]).tobytes() == expected.tobytes()
        assert answer.get_response()["id"] == "9"
    assert headers.keys() == {"Authorization"}
    without = client.infer(template.slug, [sent], model_version="1", headers=headers)
    assert without.as_numpy(found["name"]).tobytes() == expected.tobytes()
    with pytest.raises(InferenceServerException, match="neither yours nor deployed by you"):
        client.infer("nowhere", [sent], headers=headers)
    client.close()
