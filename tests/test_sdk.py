"""static/sdk/neural.js in Node and in Chromium, against the site and its worker.

Slow where a worker trains: it starts anew for each such test.
"""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from django.db import connections
from drf_spectacular.generators import SchemaGenerator
from playwright.sync_api import sync_playwright

from config import tools
from config.demo import until_over
from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import Deployment, Template
from training import services as training
from training.models import Job, Model

NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
SDK = Path(__file__).parents[1] / "static" / "sdk"
SECONDS = 180  # only what never happens takes so long, on however busy a machine
pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node 20 or later")


def key_of(person, *scopes):
    chosen = scopes or list(Scope)
    return governance.create_api_key(owner=person, name="Program", scopes=chosen)[1]


def node(*arguments, url, key="", stdin=None):
    """A program that somebody runs; its folder has no settings but these two."""
    return subprocess.run(
        [NODE, *arguments],
        cwd=SDK,
        env={
            "PATH": os.environ["PATH"],
            "NEURAL_API_URL": url,
            **({"NEURAL_API_KEY": key} if key else {}),
        },
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def ran(*arguments, **options):
    done = node(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def evaluated(script, *, url, key="", **given):
    """What an asynchronous function answers that has the SDK and these values; errors as theirs."""
    program = f"""
    import * as sdk from "./neural.js";
    const given = {json.dumps(given)};
    const plain = (error) => ({{name: error.name, code: error.code, status: error.status,
      message: error.message, problem: error.problem}});
    const found = await ({script})(sdk, given).catch((error) => ({{error: plain(error)}}));
    console.log(JSON.stringify(found ?? null));
    """
    return json.loads(ran("--input-type=module", "-", url=url, key=key, stdin=program))


# Operations


@functools.cache
def described():
    """The operations that the schema knows, as the SDK writes them."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return {
        operation["operationId"]: f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def functions():
    text = (SDK / "neural.js").read_text()
    table = re.search(r"const OPERATIONS = \{\n(.*?)\n\};", text, re.DOTALL)[1]
    return dict(re.findall(r'(\w+): "(.+)",', table))


def test_every_function_is_an_operation_of_the_schema_by_its_name_and_address():
    assert functions().items() <= described().items()


def test_the_original_s_operations_are_all_functions():
    assert {name for name in tools.OPERATIONS if name in described()} <= functions().keys()


def test_every_function_can_be_imported_by_its_name():
    exported = json.loads(
        ran(
            "--input-type=module",
            "-",
            url="",
            stdin='import * as sdk from "./neural.js";'
            "console.log(JSON.stringify(Object.keys(sdk)))",
        )
    )
    helpers = {"NeuralError", "connect", "each", "wait_for_training", "wait_for_validation"}
    assert set(exported) == helpers | set(functions())


# What people run


@pytest.fixture
def site(live_server, start_worker):
    start_worker()
    return live_server.url


@pytest.fixture
def read(site):
    """The digits, read by the worker."""
    digits = training.add_bundled_dataset(slug="digits")
    until_over(digits, "Reading the digits", lambda step, share: None)
    return digits


def test_alice_follows_the_first_example_from_nothing_to_a_prediction(site, read, alice):
    told = ran("examples/basic-training.js", url=site, key=key_of(alice))
    job = Job.objects.get(owner=alice)
    model = Model.objects.get(job=job)
    validation = model.validations.get()
    figure = validation.metrics["accuracy"]
    assert told.startswith(f"job {job.pk}, at most 1.")
    assert "done: epoch 20 of 20, loss 0." in told
    assert f"model {model.pk}, for " in told
    assert f"accuracy {100 * figure['value']:.1f} % on {validation.rows} rows" in told
    assert re.search(r"^the digit is 4, \d\d\.\d % sure$", told, re.MULTILINE)


def test_rows_may_stand_in_the_call_which_waits_until_they_are_read(site, alice):
    features = [[float(number), float(number % 7)] for number in range(40)]
    job = evaluated(
        """async ({neural_train, wait_for_training}, {dataset}) => wait_for_training(
          await neural_train({dataset, config: {
            architecture: {type: "feedforward", layers: [{type: "dense", units: 4}]},
            training: {epochs: 2, batch_size: 8, learning_rate: 0.01, optimizer: "adam"}}}))""",
        url=site,
        key=key_of(alice),
        dataset={"features": features, "labels": ["low"] * 20 + ["high"] * 20},
    )
    assert job["status"] == "done"
    assert job["modelId"] == job["model_id"] == str(Model.objects.get().pk)


def test_bob_finds_buys_deploys_and_uses_what_alice_published(
    live_server, model, digits, alice, bob, judy, transactional_db
):
    told = ran("examples/publish.js", url=live_server.url, key=key_of(alice))
    assert re.fullmatch(r"template [\w-]{36}: 15 credits, \w+\n", told)
    template = marketplace.approve_template(actor=judy, template=Template.objects.get())
    his = key_of(bob)
    listed = ran("examples/search.js", "vision", "digit", "reader", url=live_server.url, key=his)
    assert listed.startswith(f"{template.pk} | My digit reader | 15 credits | accuracy 0.")
    assert ran("examples/search.js", "nlp", url=live_server.url, key=his) == ""
    row = training.preview_rows(dataset=digits, count=1, part=training.Part.TEST)[0]
    deploy = ("examples/deploy.js", str(template.pk), json.dumps(row.values))
    told = ran(*deploy, url=live_server.url, key=his)
    assert told.startswith("bought for 15 credits\n")
    assert f"deployment {Deployment.objects.get().pk}: " in told
    assert re.search(r"^\d for 0.0001 credits$", told, re.MULTILINE)
    again = ran(*deploy, url=live_server.url, key=his)
    assert again.startswith("You already have “My digit reader”")


# The original's calls, letter for letter; only the names of what is addressed are ours.

ORIGINAL = """async ({neural_train, neural_training_status, neural_predict, neural_list_templates},
                        {modelConfig, inputArray, user, model}) => {
const trainingJob = await neural_train({
  config: modelConfig,
  tier: "small",
  user_id: user
});
const status = await neural_training_status({
  job_id: trainingJob.jobId
});
const predictions = await neural_predict({
  model_id: model,
  input_data: inputArray
});
const templates = await neural_list_templates({
  category: "classification",
  limit: 20,
  tier: "free"
});
const again = await neural_predict({model_id: model, input: inputArray});
return [trainingJob, status, predictions, templates, again];
}"""


def test_the_calls_of_the_original_run_as_they_are_written(live_server, alice, model, digits):
    row = training.preview_rows(dataset=digits, count=1)[0].values
    job, status, predictions, templates, again = evaluated(
        ORIGINAL,
        url=live_server.url,
        key=key_of(alice),
        modelConfig=training.PRESETS["digits"],
        inputArray=row,
        user=str(alice.pk),
        model=str(model.pk),
    )
    assert job["jobId"] == status["job_id"]
    assert status["status"] == "queued"
    assert predictions["predictions"] == again["predictions"]
    assert templates == {"templates": [], "count": 0, "next": None}


# Refusals


def test_a_refusal_is_thrown_with_its_code_and_the_field_that_is_wrong(live_server, alice):
    call = "({neural_train}) => neural_train({config: {}, tier: 'enormous'})"
    error = evaluated(call, url=live_server.url, key=key_of(alice))["error"]
    assert (error["name"], error["code"], error["status"]) == (
        "NeuralError",
        "invalid_parameters",
        400,
    )
    assert error["problem"]["invalid_parameters"][0]["field"] == "tier"
    assert error["message"].startswith("tier: ")


def test_a_key_without_the_scope_is_told_which_it_needs(live_server, alice):
    call = "({neural_train}) => neural_train({config: {}})"
    error = evaluated(call, url=live_server.url, key=key_of(alice, Scope.PREDICT))["error"]
    assert error["status"] == 403
    assert "'train'" in error["message"]


def test_mallory_finds_nothing_of_alice_s(live_server, alice, mallory, model):
    call = """async ({each, neural_list_models, neural_get_model}, {model_id}) => {
      const found = [];
      for await (const model of each(neural_list_models)) found.push(model);
      const error = await neural_get_model({model_id}).catch((error) => error);
      return [found, error.code, error.status];
    }"""
    answer = evaluated(call, url=live_server.url, key=key_of(mallory), model_id=str(model.pk))
    assert answer == [[], "not_found", 404]


def test_a_call_that_misses_something_is_refused_before_it_is_sent():
    nowhere = "http://127.0.0.1:1"
    error = evaluated("({neural_predict}) => neural_predict({input: []})", url=nowhere, key="k")
    assert error["error"]["code"] == "invalid_call"
    assert error["error"]["message"].startswith("model_id is missing: ")
    error = evaluated("({neural_list_models}) => neural_list_models()", url=nowhere)["error"]
    assert "NEURAL_API_KEY" in error["message"]


# Repetitions, against a server of the test's own that is as busy as each test needs


class Busy(http.server.BaseHTTPRequestHandler):
    """Answers from a list of (status, headers), then with success; writes down what it is asked."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        status, headers = self.server.refusals.pop(0) if self.server.refusals else (200, {})
        body = json.dumps({"code": "busy", "detail": "later"} if status != 200 else {"ok": True})
        self.send_response(status)
        told = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (headers | told).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments):
        """Says nothing."""


@pytest.fixture
def busy():
    """Starts a server that refuses so often before it answers."""
    servers = []

    def start(*refusals):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
        server.refusals, server.keys = list(refusals), []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


PREDICT = """({connect}, {patience}) =>
  connect({patience}).neural_predict({model_id: "m", input: [1]})"""


def asked(server, patience=5):
    url = "http://{}:{}".format(*server.server_address)
    return evaluated(PREDICT, url=url, key="k", patience=patience)


def test_a_busy_site_is_asked_again_under_the_same_idempotency_key(busy):
    server = busy((429, {"Retry-After": "0"}), (503, {"Retry-After": "0"}), (502, {}))
    assert asked(server) == {"ok": True}
    assert len(server.keys) == 4
    assert len(set(server.keys)) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", server.keys[0])


def test_two_calls_have_two_keys(busy):
    server = busy()
    asked(server)
    asked(server)
    assert len(set(server.keys)) == 2


def test_nobody_waits_longer_than_their_patience(busy):
    server = busy((429, {"Retry-After": "3600"}))
    error = asked(server)["error"]
    assert (error["code"], error["status"]) == ("busy", 429)
    assert len(server.keys) == 1


def test_what_was_refused_for_good_is_not_asked_again(busy):
    server = busy((409, {}), (409, {}))
    assert asked(server)["error"]["status"] == 409
    assert len(server.keys) == 1


def test_a_site_that_is_not_there_is_named():
    error = evaluated(PREDICT, url="http://127.0.0.1:1", key="k", patience=0)["error"]
    assert (error["code"], error["status"]) == ("unreachable", 0)
    assert error["message"].startswith("http://127.0.0.1:1 cannot be reached: ")


def test_a_change_is_made_to_what_was_seen_or_to_whatever_is_there(live_server, alice, model):
    call = """async ({neural_model_card, neural_document_model}, {model_id}) => {
      const seen = await neural_model_card({model_id});
      const change = (limits, options) =>
        neural_document_model({model_id, licence: "Apache-2.0", limits}, options);
      await change("One.", {if_match: seen.etag});
      const late = await change("Two.", {if_match: seen.etag}).catch((error) => error.code);
      return [seen.text.includes("It knows no letters."), late, (await change("Three.")).limits];
    }"""
    answer = evaluated(call, url=live_server.url, key=key_of(alice), model_id=str(model.pk))
    assert answer == [True, "precondition_failed", "Three."]


# In a browser


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_page_of_the_site_calls_in_the_name_of_who_is_signed_in(
    live_server, client, alice, model, digits, monkeypatch
):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    client.force_login(alice)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    row = training.preview_rows(dataset=digits, count=1)[0].values
    call = """async ([model_id, row]) => {
      const sdk = await import("/static/sdk/neural.js");
      const { models } = await sdk.neural_list_models();
      const found = await sdk.neural_predict({ model_id, input_data: row });
      const refused = sdk.neural_predict({ model_id, input_data: "no row" });
      const error = await refused.catch((error) => error);
      return [models.length, found.predictions.length, error.code];
    }"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.context.add_cookies([cookie | {"url": live_server.url}])
        page.goto(f"{live_server.url}/models/")
        assert page.evaluate(call, [str(model.pk), row]) == [1, 1, "invalid_rows"]
        connections.close_all()
