"""The documentation: every page reads well, and a reader who types what it says sees what it says.

Tutorials are slow (seconds to half a minute each): a worker trains for them, on the site as it is
served.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from billing import services as billing
from config import demo, docs, problems, reference, tools
from config.demo import until_over
from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import Template
from training import services as training

SECONDS = 240  # only what never happens takes so long, on however busy a machine
TUTORIALS = ["getting-started", "train", "publish", "deploy", "clusters", "sdk", "mcp"]
tools_of_readers = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "jq", "node", "npm"))),
    reason="needs bash, curl, jq, Node and npm, as readers do",
)


# Following a page


class Reader:
    """Somebody at a terminal, who saves the files a page shows and types its commands."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.folder, self.url, self.key = folder, url, key
        self.shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-o", "pipefail"],
            cwd=folder,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(folder),
                "npm_config_update_notifier": "false",
                "npm_config_audit": "false",
                "npm_config_fund": "false",
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.timer = threading.Timer(SECONDS, self.shell.kill)
        self.timer.start()

    def leave(self) -> None:
        self.timer.cancel()
        self.shell.kill()
        self.shell.communicate()

    def own(self, text: str) -> str:
        """The page with this reader's site and key in it."""
        return text.replace(settings.SITE_URL, self.url).replace("nnm_live_…", self.key)

    def type(self, commands: str) -> str:
        """What they print; all have to succeed."""
        mark = "--- ended with"
        self.shell.stdin.write(f"{{ {self.own(commands)}\n}} && true\necho '{mark}' $?\n")
        self.shell.stdin.flush()
        printed = []
        for line in self.shell.stdout:
            if mark in line:
                before, _, status = line.partition(mark)
                assert status.strip() == "0", f"{commands}\n{''.join(printed)}"
                return "".join([*printed, before])
            printed.append(line)
        pytest.fail(f"{commands}\ndid not end; it had printed:\n{''.join(printed)}")

    def follow(self, page: docs.Page, **before) -> int:
        """Do all that a page says; `before` is what other people do before a heading is reached.
        Answers how many outputs were as it says.
        """
        printed, compared = "", 0
        for part in page.parts:
            if part.level and part.anchor in before:
                before.pop(part.anchor)()
            if part.file:
                (self.folder / part.file).write_text(self.own(part.text))
            elif part.language == "bash":
                printed = self.type(part.text)
            elif part.language == "output":
                assert re.fullmatch(pattern(part.text), printed.strip(), re.DOTALL), printed
                compared += 1
        assert not before
        return compared


def quietly(step: str, share: float) -> None:
    """Nobody watches."""


def pattern(output: str) -> str:
    return re.escape(output).replace("…", ".*")


@pytest.fixture
def reader(served, start_worker, tmp_path, alice):
    """alice, in an empty folder, with a key that may do all and a worker that works."""
    start_worker()
    for slug in ("iris", "digits"):
        until_over(training.add_bundled_dataset(slug=slug), "Reading", quietly)
    _, key = governance.create_api_key(owner=alice, name="Reader", scopes=list(Scope))
    reader = Reader(tmp_path, served, key)
    yield reader
    reader.leave()


@tools_of_readers
@pytest.mark.parametrize("slug", ["getting-started", "train", "clusters", "sdk", "mcp"])
def test_who_types_what_a_page_says_sees_what_it_says(reader, slug):
    page = docs.read(slug)
    outputs = [part for part in page.parts if part.language == "output"]
    assert reader.follow(page) == len(outputs) > 0


@tools_of_readers
def test_what_alice_published_by_the_tutorial_is_found_once_judy_approved(reader, judy):
    def approve():
        template = Template.objects.get()
        marketplace.approve_template(actor=judy, template=template)

    assert reader.follow(docs.read("publish"), approval=approve) == 3
    assert Template.objects.public().count() == 1


@tools_of_readers
def test_what_bob_deploys_by_the_tutorial_is_paid_70_to_30(reader, alice, bob, judy):
    data = training.add_bundled_dataset(slug="digits")
    model = demo.train(owner=alice, data=data, seed=0, progress=quietly)
    demo.validate(owner=alice, model=model, progress=quietly)
    demo.publish(owner=alice, moderator=judy, model=model)
    _, reader.key = governance.create_api_key(owner=bob, name="Reader", scopes=list(Scope))
    before = billing.available_microcredits(alice)
    assert reader.follow(docs.read("deploy")) == 4
    billing.settle_usage()
    earned = billing.available_microcredits(alice) - before
    assert earned == billing.author_share(15_000_000) + billing.author_share(2_000)


def test_no_command_of_a_page_goes_untyped():
    """A page with commands is one that a test follows; the operations stand as templates."""
    with_commands = {
        slug
        for slug in docs.ORDER
        if slug != "api" and any(part.language == "bash" for part in docs.read(slug).parts)
    }
    assert with_commands == set(TUTORIALS)


# Reading


@pytest.mark.parametrize("slug", docs.ORDER)
def test_every_page_is_read_by_everybody_without_asking_the_database(
    client, db, django_assert_num_queries, slug
):
    docs.read(slug)
    with django_assert_num_queries(0):
        answer = client.get(f"/docs/{slug}/")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "…" in text or "{{" not in text
    assert "{%" not in text
    assert text.count("<h1") == 1


def test_the_pages_follow_one_another_and_all_are_listed(client, db):
    listed = client.get("/docs/").content.decode()
    for before, after in pairwise(docs.ORDER):
        assert (
            f'href="/docs/{after}/" rel="next"' in client.get(f"/docs/{before}/").content.decode()
        )
        assert f'href="/docs/{before}/"' in listed
    assert client.get("/docs/nothing/").status_code == 404


def test_links_and_anchors_of_the_documentation_lead_somewhere(client, alice):
    client.force_login(alice)
    for slug in docs.ORDER:
        text = client.get(f"/docs/{slug}/").content.decode()
        anchors = re.findall(r' id="([^"]+)"', text)
        assert len(anchors) == len(set(anchors)), slug
        main = text.partition("<main")[2].partition("</main>")[0]
        for link in sorted(set(re.findall(r'href="([^"]+)"', main))):
            if link.startswith("#"):
                assert link[1:] in anchors, (slug, link)
            elif link.startswith("/static/"):
                assert finders.find(link.removeprefix("/static/")), (slug, link)
            elif link.startswith("/"):
                assert client.get(link).status_code in (200, 302), (slug, link)


def test_code_is_text_and_never_markup(client, db):
    assert docs.parts("```html\n<b>x</b>\n```\n")[0].text == "<b>x</b>"
    assert "<b>" not in str(docs.Part(text="a <b> c", level=2).inline)


# What is filled in


def test_every_operation_of_the_schema_stands_there_with_a_call_that_fits_it():
    known = {
        written["operationId"]: written
        for methods in reference.described()["paths"].values()
        for written in methods.values()
    }
    listed = {each.name: each for _, operations in reference.groups() for each in operations}
    assert listed.keys() == known.keys()
    for name, each in listed.items():
        assert each.description, name
        if each.body is None:
            continue
        content = known[name]["requestBody"]["content"]["application/json"]
        schema = tools.closed(reference.described(), content["schema"])
        jsonschema.validate(each.body, schema)
    assert reference.BODIES.keys() <= known.keys()


def test_every_post_takes_an_idempotency_key_as_the_page_says():
    for path, methods in reference.described()["paths"].items():
        taken = {each["name"] for each in methods.get("post", {}).get("parameters", ())}
        assert "post" not in methods or "Idempotency-Key" in taken, path


def test_every_code_stands_in_the_troubleshooting_page_with_its_meaning(client, db):
    text = client.get("/docs/troubleshooting/").content.decode()
    for code in problems.problems():
        assert f'href="/problems/{code}/"' in text, code


def test_the_worked_example_of_the_split_is_the_ledger_s(client, db):
    text = client.get("/docs/economics/").content.decode()
    assert "<td>15</td>" in text
    assert f"<td>{billing.credits(billing.author_share(15_000_000))}</td>" in text
    table = re.findall(r"<tr>\s*" + r"<td>(\d)</td>\s*" * 4 + "</tr>", text)
    assert len(table) == 7
    assert [int(row[2]) for row in table] == [billing.author_share(paid) for paid in range(1, 8)]


# The SDK as a package


def test_the_package_holds_the_sdk_and_its_examples_and_is_the_same_each_time(client, db):
    answer = client.get("/sdk/neural-sdk.tgz")
    assert answer["Content-Type"] == "application/gzip"
    with tarfile.open(fileobj=BytesIO(answer.content)) as tar:
        names = tar.getnames()
        told = json.load(tar.extractfile("package/package.json"))
    assert told["exports"] == "./neural.js"
    assert {"package/neural.js", "package/examples/basic-training.js"} <= set(names)
    assert client.get("/sdk/neural-sdk.tgz").content == answer.content
