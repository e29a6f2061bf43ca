"""/mcp, spoken to by the official client over HTTP, with the site behind it as it is served."""

import asyncio
import json

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from config import tools
from config.demo import until_over
from governance import services as governance
from governance.models import Scope
from governance.services import quotas
from tests.conftest import SMALL
from training import services as training
from training.models import Card, Job, Model

# The original's seventeen.
ORIGINAL = {
    "neural_train",
    "neural_training_status",
    "neural_list_models",
    "neural_predict",
    "neural_validation_workflow",
    "neural_performance_benchmark",
    "neural_list_templates",
    "neural_publish_template",
    "neural_deploy_template",
    "neural_rate_template",
    "neural_cluster_init",
    "neural_node_deploy",
    "neural_cluster_connect",
    "neural_train_distributed",
    "neural_cluster_status",
    "neural_predict_distributed",
    "neural_cluster_terminate",
}


def key_of(person, *scopes):
    chosen = scopes or list(Scope)
    return governance.create_api_key(owner=person, name="Assistant", scopes=chosen)[1]


def converse(address, key, work, **options):
    """What came of a conversation of the official client with the site."""

    async def meet():
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http), **options) as client,
        ):
            return await work(client)

    return asyncio.run(meet())


def call(address, key, name, **arguments):
    return converse(address, key, lambda client: client.call_tool(name, arguments))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_alice_s_assistant_finds_every_operation_with_its_schemas(served, alice, mode):
    listed = converse(served, key_of(alice), lambda client: client.list_tools(), mode=mode)
    known = {tool.name: tool for tool in listed.tools}
    assert known.keys() >= ORIGINAL
    train = known["neural_train"]
    assert train.input_schema["required"] == ["config"]
    assert "idempotency_key" in train.input_schema["properties"]
    assert train.description.startswith("Queue a job")
    assert known["neural_training_status"].input_schema["required"] == ["job_id"]
    assert known["neural_training_status"].annotations.read_only_hint
    assert not train.annotations.read_only_hint
    assert train.annotations.destructive_hint
    assert all(tool.output_schema["type"] == "object" for tool in listed.tools)
    assert [tool.name for tool in listed.tools] == [
        name for name in tools.OPERATIONS if name in known
    ]


def test_alice_s_assistant_trains_a_model_and_predicts(served, start_worker, alice):
    start_worker()
    digits = training.add_bundled_dataset(slug="digits")
    until_over(digits, "Reading the digits", lambda step, share: None)
    key = key_of(alice)

    async def work(client):
        arguments = {"config": SMALL, "dataset": "digits", "idempotency_key": "first"}
        started = await client.call_tool("neural_train", arguments)
        again = await client.call_tool("neural_train", arguments)
        assert started.structured_content["job_id"] == again.structured_content["job_id"]
        while True:
            status = await client.call_tool(
                "neural_training_status", {"job_id": started.structured_content["job_id"]}
            )
            if status.structured_content["status"] not in ("queued", "leased", "running"):
                break
            await asyncio.sleep(0.2)
        arguments = {"model_id": status.structured_content["model_id"], "input_data": [0.0] * 64}
        return status, await client.call_tool("neural_predict", arguments)

    status, answer = converse(served, key, work)
    assert status.structured_content["status"] == "done"
    assert status.structured_content["model_id"] == str(Model.objects.get(owner=alice).pk)
    assert not answer.is_error
    assert json.loads(answer.content[0].text) == answer.structured_content
    assert answer.structured_content["predictions"][0]["label"] in list("0123456789")
    assert Job.objects.count() == 1


def test_alice_s_assistant_says_a_model_s_licence(served, alice, model):
    """By PUT, which asks for the state that the change is meant for."""
    said = call(
        served,
        key_of(alice),
        "neural_document_model",
        model_id=str(model.pk),
        licence="CC-BY-4.0",
        intended_use="Reading digits.",
    )
    assert not said.is_error, said.content
    assert Card.objects.get(model=model).intended_use == "Reading digits."


def test_a_key_without_the_scope_is_told_which_it_needs(served, alice):
    answer = call(served, key_of(alice, Scope.PREDICT), "neural_train", config=SMALL)
    assert answer.is_error
    assert answer.content[0].text == (
        "permission_denied: This key may not do this; it needs the scope 'train'."
    )
    assert Job.objects.count() == 0


def test_a_field_that_is_wrong_is_named(served, alice):
    answer = call(served, key_of(alice), "neural_train", config={}, tier="enormous")
    assert answer.is_error
    assert json.loads(answer.content[1].text)["invalid_parameters"][0]["field"] == "tier"
    answer = call(served, key_of(alice), "neural_training_status")
    assert answer.content[0].text == "invalid_parameters: job_id: is required."


def test_mallory_sees_nothing_of_alice_s(served, alice, mallory, model):
    key = key_of(mallory)
    listed = call(served, key, "neural_list_models")
    assert listed.structured_content["models"] == []
    for arguments in (
        {"name": "neural_get_model"},
        {"name": "neural_predict", "input_data": [0.0] * 64},
        {"name": "neural_validation_workflow"},
        {"name": "neural_get_model", "model_id": f"{model.pk}/../{model.pk}"},
    ):
        answer = call(served, key, **({"model_id": str(model.pk)} | arguments))
        assert answer.is_error
        assert json.loads(answer.content[1].text)["status"] == 404
    job = call(served, key, "neural_training_status", job_id=str(model.job_id))
    assert json.loads(job.content[1].text)["status"] == 404


def test_a_revoked_key_ends_a_conversation(served, alice):
    key, secret = governance.create_api_key(owner=alice, name="Old", scopes=[Scope.MODELS_READ])
    assert not call(served, secret, "neural_list_models").is_error
    governance.revoke_api_key(owner=alice, key=key)
    answer = post(served, secret)
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]


def test_a_tool_that_is_not_there_is_an_error_of_the_protocol(served, alice):
    async def work(client):
        with pytest.raises(MCPError, match="neural_everything"):
            await client.call_tool("neural_everything")

    converse(served, key_of(alice), work)


LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def post(address, key="", **headers):
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return httpx2.post(
        f"{address}/mcp",
        json=LIST,
        headers={"Accept": "application/json, text/event-stream"} | headers,
    )


def test_who_has_no_key_is_told_where_keys_are_made(served, alice, client):
    client.force_login(alice)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    for headers in ({}, {"Cookie": cookie}, {"Authorization": "Bearer nnm_live_no_key"}):
        answer = post(served, **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "/account/keys/" in answer.json()["detail"]


def test_a_page_of_another_site_may_not_ask(served, alice):
    answer = post(served, key_of(alice), Origin="https://mallory.example")
    assert answer.status_code == 403
    assert post(served, key_of(alice), Origin=served).status_code == 200


def test_there_are_no_streams_to_open(served, alice):
    headers = {"Authorization": f"Bearer {key_of(alice)}", "Accept": "text/event-stream"}
    answer = httpx2.get(f"{served}/mcp", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(served, alice, settings):
    answer = httpx2.post(
        f"{served}/mcp",
        content=b" " * (settings.REQUEST_BYTES_MAX + 1),
        headers={"Authorization": f"Bearer {key_of(alice)}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_that_grows_too_large_as_it_comes_is_refused_as_such(served, alice, settings):
    answer = httpx2.post(
        f"{served}/mcp",
        content=iter([b" " * settings.REQUEST_BYTES_MAX, b" "]),  # so its length is not told
        headers={"Authorization": f"Bearer {key_of(alice)}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_key_of_idempotency_that_no_text_can_hold_is_refused_by_name(served, alice, digits):
    answer = call(served, key_of(alice), "neural_train", config=SMALL, idempotency_key="a\0b")
    assert answer.is_error
    assert answer.content[0].text == ("invalid_parameters: Idempotency-Key: holds a NUL character.")


def test_who_tries_keys_is_soon_told_nothing_of_them(served, settings):
    settings.QUOTAS = {"api": {"anonymous": 2}}
    quotas.windows.clear()
    statuses = [post(served, "nnm_live_made_up").status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_the_rest_of_the_site_answers_beside_it(served):
    assert httpx2.get(f"{served}/healthz").json() == {"status": "ok"}
