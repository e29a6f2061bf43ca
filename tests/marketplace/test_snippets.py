"""The programs on a page, run as they stand against the site, by bob, who deployed the template."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.services import snippets
from tests.marketplace.metered import usage
from training import services as training

PROGRAMS = {
    "curl": ["bash", "-s"],
    "Python": [sys.executable, "-"],
    "JavaScript": [shutil.which("node") or "node", "--input-type=module", "-"],
    "KServe client": [sys.executable, "-"],
}


@pytest.mark.django_db(transaction=True)
def test_every_program_on_the_page_runs_and_is_answered_alike(live_server, template, bob):
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    _, secret = governance.create_api_key(owner=bob, name="Program", scopes=[Scope.PREDICT])
    about = {"model": deployment.model, "viewer": bob, "site": live_server.url}
    programs = marketplace.snippets_of(**about, deployment=deployment)
    on_the_template = marketplace.snippets_of(**about, name=template.slug)
    for one, other in zip(on_the_template, programs, strict=True):
        mine = one.code.replace(f"models/{deployment.model_id}", f"deployments/{deployment.pk}")
        assert mine.replace(template.slug, str(deployment.pk)) == other.code != one.code
    question = training.example_question(model=deployment.model, viewer=bob)
    expected = training.predict(model=deployment.model, rows=question)[0]
    assert [one.label for one in programs] == list(PROGRAMS)
    for one in programs:
        if not shutil.which(PROGRAMS[one.label][0]):
            continue
        done = subprocess.run(
            PROGRAMS[one.label],
            input=one.code,
            env=os.environ | {"NEURAL_API_KEY": secret},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{one.label}: {done.stderr}"
        if one.label != "KServe client":
            assert re.search(rf"label['\"]?: ?['\"]{expected.label}['\"]", done.stdout), done.stdout
            continue
        values = [float(value) for value in re.findall(r"[\d.]+(?:e-?\d+)?", done.stdout)]
        assert values.index(max(values)) == list(expected.probabilities).index(expected.label)
    assert usage(deployment).calls == len(programs)


def test_a_program_says_a_row_of_words_as_its_language_writes_it():
    question = {"city": "L'Aquila", "rooms": 3.5, "since": None}
    said = subprocess.run(
        ["bash", "-s"],
        input=snippets.curl("http://x/", question).replace("curl -X", "printf '%s|' -X"),
        capture_output=True,
        text=True,
    ).stdout
    assert json.loads(said.split("|")[-2]) == {"input_data": question}
    row = re.search(r"^row = (.*)$", snippets.python("http://x/", question), re.MULTILINE)[1]
    assert ast.literal_eval(row) == question
    assert json.dumps(question, ensure_ascii=False) in snippets.javascript("http://x/", question)
    assert snippets.numbers_in(question) == []
    assert snippets.numbers_in({"a": 1, "b": 2.5}) == [1, 2.5]
