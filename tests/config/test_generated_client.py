"""A client that a generator makes of the served schema, and what a program does with it."""

import importlib
import subprocess
import sys
import time

import pytest

from governance import services as governance
from governance.models import Scope
from tests.conftest import SMALL
from training.models import Model

USED = (
    "generated_client.api.models.neural_predict",
    "generated_client.api.training_jobs.neural_train",
    "generated_client.api.training_jobs.neural_training_status",
    "generated_client.models",
)
WORKING = ("queued", "leased", "running")


@pytest.fixture
def generated(served, tmp_path, monkeypatch):
    """The package, made as anybody would and imported."""
    settings = "post_hooks: []\npackage_name_override: generated_client\nhttp_timeout: 60\n"
    (tmp_path / "settings.yml").write_text(settings)
    command = ["openapi_python_client", "generate", "--config", "settings.yml"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            *command,
            "--url",
            f"{served}/api/schema/",
            "--output-path",
            "client",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path / "client")
    for name in USED:
        importlib.import_module(name)
    yield sys.modules["generated_client"]
    for name in [name for name in sys.modules if name.split(".")[0] == "generated_client"]:
        del sys.modules[name]


def test_alice_trains_and_predicts_with_functions_of_the_operations_names(
    served, generated, start_worker, alice, digits
):
    start_worker()
    _, key = governance.create_api_key(owner=alice, name="Program", scopes=list(Scope))
    with generated.AuthenticatedClient(served, key, raise_on_unexpected_status=True) as client:
        jobs, models = generated.api.training_jobs, generated.models
        job = jobs.neural_train.sync(
            client=client,
            body=models.TrainRequest(config=SMALL, dataset="digits"),
            idempotency_key="first",
        )
        while job.status in WORKING:
            time.sleep(0.2)
            job = jobs.neural_training_status.sync(job.job_id, client=client)
        assert job.status == "done"
        assert job.model_id == Model.objects.get(owner=alice).pk
        answer = generated.api.models.neural_predict.sync(
            job.model_id, client=client, body=models.PredictRequest(input_data=[0.0] * 64)
        )
        assert answer.predictions[0].label in list("0123456789")
        refused = generated.api.models.neural_predict.sync(
            job.model_id, client=client, body=models.PredictRequest(input_data=[0.0])
        )
        assert isinstance(refused, models.Problem)
        assert refused.code == "invalid_rows"
