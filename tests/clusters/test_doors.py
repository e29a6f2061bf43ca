"""The pages and the JSON door of clusters."""

import json

import pytest
from django.urls import reverse

from billing.models import UsageEvent
from clusters import services as clusters
from clusters.models import Cluster, Contribution, Node, Session
from governance import services as governance
from governance.models import Scope
from tests.clusters.conftest import until, work_off
from training.models import Model

FORM = {
    "dataset": "digits",
    "tier": "nano",
    "hidden_units": "32",
    "epochs": "2",
    "local_epochs": "1",
    "batch_size": "32",
    "learning_rate": "0.01",
    "optimizer": "adam",
    "seed": "0",
}


@pytest.fixture
def call(client, bob):
    """Calls of a program that has a key of bob's."""
    _, secret = governance.create_api_key(owner=bob, name="test", scopes=tuple(Scope))

    def send(method, address, body=None, **headers):
        return client.generic(
            method,
            f"/api/v1/clusters{address}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"} | headers,
        )

    return send


def test_bob_forms_a_cluster_and_watches_it_train(client, bob, digits):
    client.force_login(bob)
    assert "No cluster yet" in client.get("/clusters/").content.decode()
    formed = client.post("/clusters/new/", {"name": "Night shift", "workers": "2"})
    cluster = Cluster.objects.get(name="Night shift")
    assert (formed.url, cluster.wasm_optimization) == (cluster.get_absolute_url(), False)
    client.post(reverse("clusters:deploy_node", args=[cluster.pk]), {"role": "worker"})
    assert "Connect 1 node" in client.get(formed.url).content.decode()
    client.post(reverse("clusters:connect_nodes", args=[cluster.pk]))

    started = client.post(reverse("clusters:train_job", args=[cluster.pk]), FORM)
    assert started.url == cluster.get_absolute_url()
    session = Session.objects.get()
    until(session, Contribution.Kind.AVERAGE)
    live = client.get(started.url, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 1s"' in live
    assert "<html" not in live
    assert "Aggregating" in live

    work_off(session)
    page = client.get(started.url).content.decode()
    assert 'hx-trigger="every 1s"' not in page
    assert session.rounds.last().result_sha256[:12] in page
    check = session.rounds.last().contributions.get(kind=Contribution.Kind.VERIFY)
    assert f"{check.subject.node}: equal" in page
    assert "Accuracy on validation rows" in page
    assert Model.objects.get().get_absolute_url() in page
    assert "Night shift" in client.get("/clusters/").content.decode()
    client.post(reverse("clusters:terminate", args=[cluster.pk]))
    assert "Change this cluster" not in client.get(started.url).content.decode()


def test_a_cluster_page_asks_the_database_no_more_for_more_rounds(
    client, bob, cluster, train, django_assert_max_num_queries
):
    client.force_login(bob)
    work_off(train(cluster))
    with django_assert_max_num_queries(15):
        client.get(cluster.get_absolute_url())


def test_what_is_wrong_in_a_form_stands_at_its_field(client, bob, cluster, digits):
    client.force_login(bob)
    address = reverse("clusters:train_job", args=[cluster.pk])
    answer = client.post(address, FORM | {"local_epochs": "3"}).content.decode()
    assert "local_epochs: 3 does not divide the 2 epochs" in answer
    answer = client.post(address, FORM | {"hidden_units": "60000"}).content.decode()
    assert "tier: nano allows 50,000 parameters" in answer
    odd = client.post(
        reverse("clusters:deploy_node", args=[cluster.pk]), {"role": "king"}, follow=True
    )
    assert "king is not one of the available choices" in odd.content.decode()


def test_a_stranger_finds_nothing(client, mallory, cluster):
    for name in ("cluster", "train_job"):
        address = reverse(f"clusters:{name}", args=[cluster.pk])
        assert client.get(address).status_code == 302  # to the door
        client.force_login(mallory)
        assert client.get(address).status_code == 404
        client.logout()
    client.force_login(mallory)
    for name in ("deploy_node", "connect_nodes", "terminate"):
        address = reverse(f"clusters:{name}", args=[cluster.pk])
        assert client.post(address).status_code == 404
    for address in ("", "/nodes", "/connections", "/training", "/predict"):
        method = client.post if address else client.get
        assert method(f"/api/v1/clusters/{cluster.pk}{address}").status_code == 404
    assert client.delete(f"/api/v1/clusters/{cluster.pk}").status_code == 404


def test_the_whole_path_by_program(call, digits):
    formed = call("POST", "", {"name": "By program"})
    assert formed.status_code == 201
    body = formed.json()
    assert (body["status"], body["topology"]) == ("initializing", "star")
    at = f"/{body['cluster_id']}"
    for _ in range(2):
        node = call("POST", f"{at}/nodes", {"role": "worker", "model": "base"})
        assert (node.status_code, node.json()["status"]) == (201, "deployed")
    connected = call("POST", f"{at}/connections", {}).json()
    assert (connected["connections"], connected["nodes_connected"]) == (3, 4)

    asked = {"dataset": "digits", "epochs": 4, "learning_rate": 0.01}
    started = call("POST", f"{at}/training", asked)
    assert started.status_code == 202
    assert (started.json()["nodes_training"], started.json()["total_rounds"]) == (2, 4)
    work_off(Session.objects.get())

    status = call("GET", at).json()
    assert (status["status"], status["training"]["status"]) == ("connected", "done")
    assert status["training"]["model_id"] == str(Model.objects.get().pk)
    assert status["training"]["validation_accuracy"] > 0.85
    assert status["features"]["connections_active"] == 3
    assert [node["connections"] for node in status["nodes"]] == [3, 1, 1, 1]
    assert status["performance"]["throughput"] > 0

    row = json.dumps([0.0] * 64)  # the original sends JSON as text
    answer = call("POST", f"{at}/predict", {"input_data": row}).json()
    assert (answer["aggregation_method"], answer["nodes_used"]) == ("mean", 2)
    answer = call("POST", f"{at}/predict", {"input_data": row, "aggregation": "ensemble"}).json()
    assert answer["prediction"] == [one["prediction"] for one in answer["individual_predictions"]]
    ended = call("DELETE", at).json()
    assert ended["nodes_terminated"] == 4
    assert call("GET", "").json()["clusters"][0]["status"] == "terminated"


@pytest.mark.parametrize(
    ("address", "body", "code", "words"),
    [
        ("", {"name": "Wish", "topology": "ring"}, "not_available", "choose one of: star"),
        ("", {"name": "Wish", "topology": "torus"}, "invalid_parameters", "topology"),
        ("/nodes", {"role": "aggregator"}, "not_available", "worker, validator"),
        ("/nodes", {"template": "nodejs"}, "invalid_parameters", "template: 'nodejs'"),
        ("/nodes", {"capabilities": ["training"]}, "invalid_parameters", "training, inference"),
        ("/nodes", {"autonomy": 0.8}, "invalid_parameters", "leave it out or send 0"),
        ("/training", {"dataset": "digits", "federated": True}, "invalid_parameters", "Send false"),
        (
            "/training",
            {"dataset": "digits", "optimizer": "lion"},
            "invalid_parameters",
            "optimizer",
        ),
        ("/predict", {"input_data": "[1, 2"}, "invalid_parameters", "Invalid JSON input data"),
        ("/predict", {"input_data": [[0.0] * 64]}, "invalid_parameters", "must be one row"),
        ("/predict", {"input_data": [0.0] * 64}, "not_connected", "train it first"),
    ],
)
def test_a_program_is_told_what_is_wrong(call, cluster, digits, address, body, code, words):
    answer = call("POST", f"/{cluster.pk}{address}" if address else "", body)
    assert answer.status_code in (400, 409, 422)
    assert answer.json()["code"] == code
    assert words in answer.json()["detail"]


def test_every_operation_of_clusters_has_the_originals_name(client, db):
    schema = client.get("/api/schema/", headers={"Accept": "application/json"}).content.decode()
    for name in (
        "neural_cluster_init",
        "neural_node_deploy",
        "neural_cluster_connect",
        "neural_train_distributed",
        "neural_cluster_status",
        "neural_predict_distributed",
        "neural_cluster_terminate",
    ):
        assert name in schema


def test_the_desk_reads_clusters(client, judy, cluster):
    client.force_login(judy)
    for name in ("cluster", "node", "round", "contribution"):
        assert client.get(f"/admin/clusters/{name}/").status_code == 200
    assert cluster.nodes.filter(role=Node.Role.WORKER).count() == 3


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "1" * 5_000 + "]", "[", "{}"])
def test_a_row_as_text_that_is_none_is_a_problem(call, bob, text):
    cluster = clusters.form_cluster(owner=bob, name="c")
    answer = call("POST", f"/{cluster.pk}/predict", {"input_data": text})
    assert answer.status_code == 400
    assert answer.json()["invalid_parameters"][0]["field"] == "input_data"
    assert len(answer.content) < 50_000


def test_a_prediction_that_is_asked_again_by_its_key_is_paid_once(call, cluster, train):
    work_off(train(cluster))
    key = {"Idempotency-Key": "once"}
    asked = ("POST", f"/{cluster.pk}/predict", {"input_data": [0.0] * 64})
    first, again = call(*asked, **key), call(*asked, **key)
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert UsageEvent.objects.count() == 1
