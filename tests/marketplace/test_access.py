"""Who may do what at every address of the marketplace that names a row.

The table is held against the URLconf: an address on which nobody decided fails the first test. It
says what each person is answered about alice's template, which bob bought, reviewed, asked about,
keeps in a private collection, searches for and has deployed. Of her draft nobody but she is told
anything.
"""

import io
import json
import uuid

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from governance import services as governance
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import Thread
from marketplace.urls import urlpatterns

pytestmark = pytest.mark.usefixtures("shared_template")

ROW = {"input_data": [0] * 64}
TENSOR = {
    "inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP32", "data": [0] * 64}],
}
# What is asked, then what is answered to: owner, buyer, stranger, moderator, anonymous.
TABLE = {
    "template": ("GET", 200, 200, 200, 200, 200),
    "version": ("GET", 200, 200, 200, 200, 200),
    "take_file": ("POST", 302, 302, 403, 403, 302),
    "make_file": ("POST", 302, 302, 403, 403, 302),
    "try": ("POST", 200, 200, 200, 200, 302),
    "model_here": ("GET", 409, 409, 403, 403, 403),  # not made yet
    "prepare_here": ("POST", 302, 302, 403, 403, 302),
    "allow_tries": ("POST", 302, 403, 403, 403, 302),
    "download": ("GET", 404, 404, 404, 404, 404),  # a token that nobody was given
    "buy": ("POST", 302, 302, 302, 302, 302),
    "deploy": ("POST", 302, 302, 403, 403, 302),
    "reviews": ("GET", 200, 200, 200, 200, 200),
    "review": ("POST", 200, 302, 200, 200, 302),
    "vote": ("POST", 403, 403, 302, 302, 302),  # not on what one has a stake in
    "reply": ("POST", 302, 403, 403, 403, 302),
    "discussion": ("GET", 200, 200, 200, 200, 200),
    "new_thread": ("POST", 302, 302, 302, 302, 302),
    "thread": ("GET", 200, 200, 200, 200, 200),
    "lead_thread": ("POST", 302, 403, 403, 302, 302),
    "edit_post": ("POST", 403, 302, 403, 403, 302),
    "accept_answer": ("POST", 409, 409, 403, 403, 302),  # the question itself
    "collect": ("GET", 200, 200, 200, 200, 302),
    "collection": ("GET", 404, 200, 404, 404, 404),
    "edit_collection": ("GET", 404, 200, 404, 404, 302),
    "delete_collection": ("POST", 404, 302, 404, 404, 302),
    "change_item": ("POST", 404, 302, 404, 404, 302),
    "saved_search": ("GET", 404, 302, 404, 404, 302),
    "edit_search": ("GET", 404, 200, 404, 404, 302),
    "set_alerts": ("POST", 404, 302, 404, 404, 302),
    "delete_search": ("POST", 404, 302, 404, 404, 302),
    "leaderboard": ("GET", 200, 200, 200, 200, 200),
    "author": ("GET", 200, 200, 200, 200, 200),
    "publish": ("GET", 302, 404, 404, 404, 302),
    "draft": ("GET", 302, 404, 404, 404, 302),
    "draft_step": ("GET", 302, 404, 404, 404, 302),
    "discard_draft": ("POST", 409, 404, 404, 404, 302),  # what is public is no draft
    "versions": ("GET", 200, 200, 200, 200, 200),
    "new_version": ("GET", 200, 404, 404, 404, 302),
    "peer_review": ("GET", 404, 404, 404, 404, 302),  # what is published is decided
    "peer_try": ("GET", 404, 404, 404, 404, 302),
    "reproductions": ("GET", 200, 200, 404, 404, 302),
    "reproduce": ("POST", 302, 302, 404, 404, 302),
    "change_version": ("POST", 302, 404, 404, 404, 302),
    "withdraw_template": ("POST", 302, 404, 404, 404, 302),
    "deployment": ("GET", 404, 200, 404, 404, 302),
    "stop_deployment": ("POST", 404, 302, 404, 404, 302),
    "start_deployment": ("POST", 404, 409, 404, 404, 302),  # it answers already
    "settings": ("GET", 404, 200, 404, 404, 302),
    "dashboard": ("GET", 404, 200, 404, 404, 302),
    "calls": ("GET", 404, 200, 404, 404, 302),
    "log_inputs": ("POST", 404, 302, 404, 404, 302),
    "routes": ("GET", 404, 200, 404, 404, 302),
    "start_canary": ("POST", 404, 200, 404, 404, 302),  # there is one version
    "promote_canary": ("POST", 404, 409, 404, 404, 302),
    "abort_canary": ("POST", 404, 409, 404, 404, 302),
    "roll_back": ("POST", 404, 409, 404, 404, 302),
    "batch": ("GET", 404, 200, 404, 404, 302),
    "batch_stream": ("GET", 404, 200, 404, 404, 302),
    "accept_batch": ("POST", 404, 409, 404, 404, 302),  # nobody has read it yet
    "cancel_batch": ("POST", 404, 302, 404, 404, 302),
    "delete_batch": ("POST", 404, 409, 404, 404, 302),
    "take_result": ("POST", 404, 409, 404, 404, 302),
    "batch_result": ("GET", 404, 404, 404, 404, 404),  # a token that nobody was given
    "api_batch": ("GET", 404, 200, 404, 404, 401),
    "api_accept_batch": ("POST", 404, 409, 404, 404, 401),
    "api_cancel_batch": ("POST", 404, 200, 404, 404, 401),
    "api_link_batch": ("POST", 404, 409, 404, 404, 401),
    "api_template": ("GET", 200, 200, 200, 200, 401),
    "api_files": ("GET", 200, 200, 200, 200, 401),
    "api_file_link": ("POST", 201, 201, 403, 403, 401),
    "api_purchases": ("POST", 409, 409, 201, 201, 401),
    "api_template_deployments": ("POST", 201, 201, 403, 403, 401),
    "api_deployment": ("GET", 404, 200, 404, 404, 401),
    "api_stop_deployment": ("POST", 404, 200, 404, 404, 401),
    "api_start_deployment": ("POST", 404, 409, 404, 404, 401),  # it answers already
    "api_routes": ("GET", 404, 200, 404, 404, 401),
    "api_canary": ("POST", 404, 422, 404, 404, 401),  # there is one version
    "api_promote_canary": ("POST", 404, 409, 404, 404, 401),
    "api_roll_back": ("POST", 404, 409, 404, 404, 401),
    "api_predict_deployed": ("POST", 404, 200, 404, 404, 401),
    "api_metrics": ("GET", 404, 200, 404, 404, 401),
    "api_calls": ("GET", 404, 200, 404, 404, 401),
    "api_ratings": ("POST", 403, 201, 403, 403, 401),
    "api_threads": ("POST", 201, 201, 201, 201, 401),
    "api_posts": ("POST", 201, 201, 201, 201, 401),
    "api_collection": ("GET", 404, 200, 404, 404, 401),
    "api_collection_items": ("POST", 404, 201, 404, 404, 401),
    "api_saved_search": ("GET", 404, 200, 404, 404, 401),
    "api_leaderboard": ("GET", 200, 200, 200, 200, 401),
    "api_versions": ("GET", 200, 200, 200, 200, 401),
    "api_version": ("GET", 200, 200, 200, 200, 401),
    "api_peer_review": ("POST", 404, 404, 404, 404, 401),  # what is published is decided
    "api_submit_version": ("POST", 409, 404, 404, 404, 401),
    "api_recall_version": ("POST", 409, 404, 404, 404, 401),
    "api_publish_version": ("POST", 409, 404, 404, 404, 401),
    "api_deprecate_version": ("POST", 200, 404, 404, 404, 401),
    "api_withdraw_version": ("POST", 200, 404, 404, 404, 401),
    "api_withdraw_template": ("POST", 200, 404, 404, 404, 401),
    "api_predict": ("POST", 200, 200, 404, 404, 401),
    "v2_model": ("GET", 404, 200, 404, 404, 401),
    "v2_ready": ("GET", 404, 200, 404, 404, 401),
    "v2_infer": ("POST", 404, 200, 404, 404, 401),
    "v2_version": ("GET", 404, 200, 404, 404, 401),
    "v2_version_ready": ("GET", 404, 200, 404, 404, 401),
    "v2_version_infer": ("POST", 404, 200, 404, 404, 401),
}
ABOUT_TEMPLATES = {"slug", "template_id"}
SENT = {
    "buy": {"version": "1"},
    "deploy": {"version": "1"},
    "allow_tries": {"daily_tries": "5"},
    "try": {"values": "1"},
    "review": {"rating": "5", "text": "Good."},
    "vote": {"helpful": "yes"},
    "reply": {"reply": "Thank you.", "text": "Thank you."},
    "new_thread": {"kind": "question", "title": "Which?", "text": "Which digits?"},
    "lead_thread": {"act": "pin", "action": "pin"},
    "edit_post": {"text": "Which digits, please?"},
    "change_item": {"act": "remove", "action": "remove"},
    "api_ratings": {"rating": 5},
    "api_threads": {"title": "Which?", "text": "Which digits?"},
    "api_posts": {"text": "All."},
    "api_canary": {"version": 2},
    "api_deprecate_version": {"reason": "Enough."},
    "api_withdraw_version": {"reason": "Enough."},
    "api_withdraw_template": {"reason": "Enough."},
    "api_predict": ROW,
    "api_predict_deployed": ROW,
    "v2_infer": TENSOR,
    "v2_version_infer": TENSOR,
}


def routes() -> dict[str, set[str]]:
    """The addresses that name a row, and by what."""
    return {
        route.name: set(route.pattern.converters)
        for route in urlpatterns
        if route.pattern.converters
    }


def test_somebody_decided_on_every_address_that_names_a_row():
    undecided, gone = routes().keys() - TABLE, TABLE.keys() - routes().keys()
    assert not undecided, f"decide in TABLE who may do what at: {sorted(undecided)}"
    assert not gone


@pytest.fixture
def people(alice, bob, mallory, judy) -> list[Client]:
    """Programs and browsers of the five, in the table's order."""
    clients = [Client() for _ in range(5)]
    for client, person in zip(clients, (alice, bob, mallory, judy), strict=False):
        client.force_login(person)
        _, secret = governance.create_api_key(owner=person, name="key", scopes=list(Scope))
        client.key = {"Authorization": f"Bearer {secret}"}
    clients[-1].key = {}
    return clients


@pytest.fixture
def rows(template, alice, bob, model) -> dict[str, object]:
    """What the addresses name: all of bob's around alice's template."""
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    review = marketplace.review_template(reviewer=bob, template=template, rating=4, text="Good.")
    thread = marketplace.start_thread(
        author=bob, template=template, title="Which?", text="?", kind=Thread.Kind.QUESTION
    )
    batch = marketplace.start_batch(
        owner=bob, deployment=deployment, file=io.BytesIO(b"a,b\n1,2\n"), file_name="rows.csv"
    )
    kept = marketplace.make_collection(owner=bob, name="Mine")
    item = marketplace.collect_template(actor=bob, collection=kept, template=template)
    saved = marketplace.save_search(owner=bob, query="reader")
    return {
        "slug": template.slug,
        "template_id": template.pk,
        "number": 1,
        "kind": "safetensors",
        "token": "x",
        "review_id": review.pk,
        "thread_id": thread.pk,
        "post_id": thread.posts.first().pk,
        "collection_id": kept.pk,
        "item_id": item.pk,
        "saved_id": saved.pk,
        "deployment_id": deployment.pk,
        "batch_id": batch.pk,
        "model_id": model.pk,
        "name": template.slug,
        "version": "1",
        "username": "alice",
        "step": "card",
        "act": "recall",
    }


def asked(client: Client, name: str, given: dict[str, object]) -> int:
    """The status of the answer; whatever was done is undone."""
    keys = routes()[name]
    if "leaderboard" in name:
        given = given | {"slug": "digits"}
    address = reverse(f"marketplace:{name}", kwargs={key: given[key] for key in keys})
    method, sent, options = TABLE[name][0], SENT.get(name, {}), {}
    if name == "api_collection_items":
        sent = {"template_id": str(given["template_id"])}
    if address.startswith(("/api/", "/v2/")):
        options = {"headers": client.key, "content_type": "application/json"}
        sent = json.dumps(sent) if method == "POST" else {}
    with transaction.atomic():
        answer = getattr(client, method.lower())(address, sent, **options)
        transaction.set_rollback(True)
    return answer.status_code


def test_each_person_is_answered_what_was_decided(people, rows):
    found = {
        name: (TABLE[name][0], *(asked(client, name, rows) for client in people))
        for name in routes()
    }
    assert {name: found[name] for name in found if found[name] != TABLE[name]} == {}


def test_of_a_draft_nobody_but_its_author_is_told_anything(people, rows, alice, model):
    draft = marketplace.start_template(owner=alice, model=model, name="Draft")
    told = rows | {"slug": draft.slug, "template_id": draft.pk, "name": draft.slug}
    about = [
        name
        for name, keys in routes().items()
        if keys & ABOUT_TEMPLATES and "leaderboard" not in name
    ]
    for name in about:
        *members, anonymous = [asked(client, name, told) for client in people[1:]]
        assert members == [404] * 3, name
        assert anonymous in (404, 401, 302), name
    assert asked(people[0], "template", told) == 200


def test_of_what_a_moderator_removed_nobody_but_its_author_gets_more_than_the_reason(
    people, rows, template, judy
):
    governance.hide(actor=judy, subject=template, reason="Copied.")
    for name in ("template", "version", "try", "api_template", "api_files", "api_file_link"):
        members = [asked(client, name, rows) for client in people[1:4]]
        assert members == [410] * 3, name
    for name in ("take_file", "model_here", "prepare_here"):
        members = [asked(client, name, rows) for client in people[1:4]]
        assert all(status in (403, 410) for status in members), name


def test_of_what_its_author_withdrew_who_has_it_loses_nothing(people, rows, template, alice):
    marketplace.withdraw_template(actor=alice, template=template, reason="I retire.")
    buyer, stranger = people[1:3]
    pages = ("reviews", "review", "discussion", "thread", "collect", "deploy")
    for name in (*pages, "api_template_deployments", "api_ratings", "api_threads", "api_posts"):
        assert asked(buyer, name, rows) == TABLE[name][2], name
        assert asked(stranger, name, rows) == 410, name


def test_of_rows_that_are_not_there_nobody_is_told_that_somebodys_are(people, rows):
    """An id of nobody's is answered just as another person's is."""
    for name, key in (
        ("collection", "collection_id"),
        ("saved_search", "saved_id"),
        ("api_saved_search", "saved_id"),
        ("deployment", "deployment_id"),
        ("publish", "model_id"),
        ("api_collection", "collection_id"),
        ("api_predict", "model_id"),
    ):
        stranger = people[2]
        assert asked(stranger, name, rows) == asked(stranger, name, rows | {key: uuid.uuid4()})
