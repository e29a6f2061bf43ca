"""Publishing as people do it: step by step, each step a draft, with scripts and without."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from governance.models import AuditEntry
from marketplace import services as marketplace
from marketplace.models import Plan, Template, TemplateVersion
from tests.conftest import CARD, SMALL
from training import services as training
from training.models import Category, Model, Tier
from training.runner import chunks, exports

pytestmark = pytest.mark.usefixtures("shared_training")

Status = TemplateVersion.Status
WORDS = {"name": "Digit reader", "summary": "Reads.", "category": "vision", "description": "**Me**"}
TEXTS = {name: CARD[name] for name in ("intended_use", "limits", "ethics")}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def as_alice(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def draft(alice, model) -> TemplateVersion:
    return marketplace.start_template(owner=alice, model=model).newest


@pytest.fixture
def bare(alice, trained) -> TemplateVersion:
    """A draft about a model that nobody measured or described."""
    return marketplace.start_template(owner=alice, model=trained).newest


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def step(version: TemplateVersion, name: str) -> str:
    return reverse("marketplace:draft_step", args=[version.template.slug, name])


def unmeasured(owner, digits, seed=2) -> Model:
    job = training.submit_job(owner=owner, dataset=digits, config=SMALL, tier=Tier.NANO, seed=seed)
    chunks.run_turn()
    return Model.objects.get(job=job)


# With forms alone


def test_alice_publishes_in_six_steps_without_scripts(as_alice, alice, judy, model, digits):
    page = as_alice.post("/templates/new/", {"model": str(model.pk)}, follow=True)
    template = Template.objects.get()
    version = template.newest
    assert page.redirect_chain[-1][0] == step(version, "card")  # the first that lacks something
    assert "needed" in text(page)
    page = as_alice.post(step(version, "card"), WORDS | TEXTS | {"action": "next"})
    assert page.url == step(version, "files")
    row = training.tested_questions(model=model, count=12)[3]
    files = {"licence": "MIT", "offered": ["safetensors"], "rows": [str(row.number)], "typed": ""}
    page = as_alice.post(step(version, "files"), files | {"action": "next"})
    assert page.url == step(version, "price")
    price = {"plan": "standard", "price": "15", "call_price": "0.001", "monthly_calls": "100"}
    page = as_alice.post(step(version, "price"), price | {"action": "next"})
    assert page.url == step(version, "submit")
    assert "Nothing stands before it" in text(as_alice.get(page.url))
    page = as_alice.post(step(version, "submit"), {"publishes_at_once": "no", "action": "submit"})
    assert page.url == reverse("marketplace:versions", args=[template.slug])
    version.refresh_from_db()
    assert version.status == Status.SUBMITTED
    assert version.words == WORDS
    assert version.examples == [row.question]
    assert (version.price_microcredits, version.monthly_calls) == (15_000_000, 100)
    assert not version.publishes_at_once
    marketplace.approve_template(actor=judy, template=template)
    assert "Publish it now" in text(as_alice.get(page.url))
    publish = reverse("marketplace:change_version", args=[template.slug, 1, "publish"])
    as_alice.post(publish)
    assert Template.objects.get().is_public


def test_measured_models_come_first_and_the_others_say_what_they_lack(
    as_alice, alice, model, digits
):
    later = unmeasured(alice, digits)
    page = text(as_alice.get("/templates/new/"))
    assert page.index(f'value="{model.pk}"') < page.index(f'value="{later.pk}"')
    assert "Ready to publish" in page
    assert "has no finished validation yet" in page


def test_the_list_of_models_asks_the_same_for_many_as_for_one(
    as_alice, alice, model, digits, django_assert_max_num_queries
):
    for seed in (2, 3, 4):
        unmeasured(alice, digits, seed)
    as_alice.get("/templates/new/")  # the first request of a session writes it down
    with django_assert_max_num_queries(12):
        as_alice.get("/templates/new/")


def test_a_measurement_is_started_from_the_gate_and_watched_there(as_alice, bare):
    address = step(bare, "validate")
    bare.model.validations.all().delete()
    page = text(as_alice.get(address))
    assert "One thing stands before it" in page
    assert "Measure it now" in page
    assert as_alice.post(address, {"action": "validate"}).url == address
    waiting = text(as_alice.get(address, headers=HTMX))
    assert 'hx-trigger="every 1s"' in waiting
    assert "<html" not in waiting
    assert '<meta http-equiv="refresh"' in text(as_alice.get(address))


def test_the_gate_keeps_an_unmeasured_model_back_and_says_where_to_mend_it(as_alice, bare):
    page = text(as_alice.get(step(bare, "submit")))
    assert "6 things are missing" in page
    for place in ("files/#id_licence", "card/#id_ethics", "card/#id_description"):
        assert f'href="/templates/{bare.template.slug}/draft/{place}"' in page
    refused = as_alice.post(step(bare, "submit"), {"publishes_at_once": "yes", "action": "submit"})
    assert "no finished validation yet" in text(refused)
    bare.refresh_from_db()
    assert bare.status == Status.DRAFT


def test_mistakes_stand_beside_their_fields_and_what_was_typed_stays(as_alice, draft):
    for name, typed, field, fault in [
        ("card", WORDS | TEXTS | {"name": ""}, "name", "This field is required."),
        ("files", {"licence": "other"}, "licence_terms", "are empty; write under which terms"),
        ("files", {"licence": "MIT", "typed": "[1, 2]"}, "typed", "number 1: input_data"),
        ("files", {"licence": "MIT", "typed": "a word"}, "typed", "Line 1 is no JSON"),
        ("price", {"plan": "free", "price": "3"}, "price", "of the free plan costs 0"),
        ("price", {"plan": "premium", "price": "0"}, "price", "has a price; or choose the free"),
        ("price", {"plan": "free", "call_price": "0.00001"}, "call_price", "at least 0.0001"),
    ]:
        if name == "price":
            typed = {"price": "0", "call_price": "0", "monthly_calls": "0"} | typed
        page = text(as_alice.post(step(draft, name), typed | {"action": "next"}))
        error = page[page.index(f'id="id_{field}_error"') :]
        assert fault in error[: error.index("</div>")]
    draft.refresh_from_db()
    assert (draft.plan, draft.examples) == (Plan.FREE, [])


def test_a_draft_is_resumed_from_its_model_and_from_ones_templates(as_alice, draft):
    again = as_alice.get(reverse("marketplace:publish", args=[draft.model.pk]))
    assert again.url == reverse("marketplace:draft", args=[draft.template.slug])
    page = text(as_alice.get(reverse("marketplace:mine")))
    assert f'href="{again.url}"' in page
    assert "Resume" in page


def test_a_model_without_a_draft_leads_to_a_new_one_with_it_chosen(as_alice, model):
    page = as_alice.get(reverse("marketplace:publish", args=[model.pk]), follow=True)
    assert f'value="{model.pk}" required checked' in text(page)
    assert not Template.objects.exists()  # a link stores nothing


def test_a_draft_is_discarded_and_a_submission_is_not(as_alice, alice, draft):
    discard = reverse("marketplace:discard_draft", args=[draft.template.slug])
    assert as_alice.post(discard).url == reverse("marketplace:mine")
    assert not Template.objects.exists()


def test_two_clicks_begin_one_draft(as_alice, model):
    page = as_alice.get("/templates/new/")
    token = page.context["csrf_token"]
    sent = {"model": str(model.pk), "csrfmiddlewaretoken": str(token)}
    assert as_alice.post("/templates/new/", sent).url == as_alice.post("/templates/new/", sent).url
    assert Template.objects.count() == 1


def test_mallory_finds_no_draft_of_alices(client, mallory, draft):
    client.force_login(mallory)
    slug = draft.template.slug
    addresses = [step(draft, name) for name in marketplace.Step]
    addresses += [reverse(f"marketplace:{name}", args=[slug]) for name in ("draft", "versions")]
    addresses += [reverse("marketplace:new_version", args=[slug])]
    for address in addresses:
        assert client.get(address).status_code == 404
    for name in ("discard_draft", "withdraw_template"):
        assert client.post(reverse(f"marketplace:{name}", args=[slug])).status_code == 404
    recall = reverse("marketplace:change_version", args=[slug, 1, "recall"])
    assert client.post(recall).status_code == 404


def test_what_was_submitted_is_no_draft_until_it_is_recalled(as_alice, alice, model):
    template = marketplace.publish_template(
        owner=alice, model=model, description="d", plan=Plan.FREE, category=Category.VISION, **NAMED
    )
    versions = reverse("marketplace:versions", args=[template.slug])
    assert as_alice.get(step(template.newest, "card")).url == versions
    recall = reverse("marketplace:change_version", args=[template.slug, 1, "recall"])
    assert "is a draft again" in text(as_alice.post(recall, follow=True))
    assert text(as_alice.get(step(template.newest, "card")))


NAMED = {"name": "Digit reader"}


# With scripts


def test_a_field_that_is_left_is_saved_and_what_is_typed_is_not_sent_back(as_alice, draft):
    part = text(as_alice.post(step(draft, "card"), WORDS | TEXTS, headers=HTMX))
    assert "Saved as a draft." in part
    assert "<strong>Me</strong>" in part
    assert "<textarea" not in part
    draft.refresh_from_db()
    assert draft.words == WORDS


def test_while_alice_types_the_description_is_shown_and_not_stored(as_alice, draft):
    before = draft.words
    typed = WORDS | {"description": "# Half a", "action": "look"}
    part = text(as_alice.post(step(draft, "card"), typed, headers=HTMX))
    assert "<h2>Half a</h2>" in part
    assert "Saved" not in part
    draft.refresh_from_db()
    assert draft.words == before
    assert not AuditEntry.objects.filter(verb="describe_version").exists()


def test_what_cannot_be_saved_yet_says_why_while_one_types(as_alice, draft):
    part = text(as_alice.post(step(draft, "card"), WORDS | {"name": ""}, headers=HTMX))
    assert "Not saved yet" in part
    assert 'href="#id_name"' in part


def test_a_card_that_others_read_is_not_changed_by_half_a_sentence(as_alice, alice, template):
    version = marketplace.start_version(
        owner=alice, template=template, model=template.shown.model, changelog="n"
    )
    typed = WORDS | TEXTS | {"limits": "It knows no le"}
    as_alice.post(step(version, "card"), typed, headers=HTMX)
    assert training.card_of(model=version.model).limits == CARD["limits"]
    as_alice.post(step(version, "card"), typed | {"action": "next"})
    assert training.card_of(model=version.model).limits == "It knows no le"


def test_the_buyers_total_and_the_authors_part_follow_what_is_typed(as_alice, draft):
    typed = {"plan": "standard", "price": "10", "call_price": "0.01", "monthly_calls": "500"}
    part = text(as_alice.post(step(draft, "price"), typed | {"calls": "1500"}, headers=HTMX))
    for said in ("<dd>10</dd>", "<b>20</b>", "<b>130</b>", "<b>91</b>", "<dd>39</dd>"):
        assert said in part
    assert "Saved as a draft." in part


def test_the_platform_keeps_the_compute_where_the_author_asks_for_nothing(as_alice, draft):
    typed = {"plan": "free", "price": "0", "call_price": "0", "monthly_calls": "0", "calls": "1000"}
    part = text(as_alice.post(step(draft, "price"), typed, headers=HTMX))
    assert "<dt>You receive</dt><dd><b>0</b>" in part
    assert "<dt>The platform keeps</dt><dd>1.2</dd>" in part


def test_a_file_is_made_from_here_and_offered_once_it_is_there(as_alice, draft):
    sent = {"licence": "MIT", "offered": ["safetensors", "wasm"], "make": "wasm"}
    made = as_alice.post(step(draft, "files"), sent)
    assert made.url == f"{step(draft, 'files')}#made"
    waiting = text(as_alice.get(step(draft, "files"), headers=HTMX))
    assert "Making WebAssembly" in waiting
    assert "<html" not in waiting
    exports.make_export(str(draft.model.exports.get().pk))
    ready = text(as_alice.get(step(draft, "files")))
    assert "Making WebAssembly" not in ready
    assert [lack.field for lack in marketplace.lacks_of(version=draft)] == ["description"]


def test_examples_may_be_typed_and_are_shown_again(as_alice, draft):
    values = [0.5] * 64
    sent = {"licence": "MIT", "offered": ["safetensors"], "typed": json.dumps(values)}
    assert as_alice.post(step(draft, "files"), sent | {"action": "stay"}).status_code == 302
    draft.refresh_from_db()
    assert draft.examples == [values]
    assert json.dumps(values) in text(as_alice.get(step(draft, "files")))


# Versions


def test_everybody_sees_what_was_published_and_only_alice_what_comes(
    client, as_alice, alice, template
):
    marketplace.start_version(
        owner=alice, template=template, model=template.shown.model, changelog="Half done."
    )
    address = reverse("marketplace:versions", args=[template.slug])
    assert "Half done." in text(as_alice.get(address))
    page = text(client.get(address))
    assert "Version 1" in page
    assert "Half done." not in page
    assert "Withdraw" not in page


def test_alice_begins_a_version_with_what_is_new_in_it(as_alice, template):
    address = reverse("marketplace:new_version", args=[template.slug])
    model = str(template.shown.model_id)
    assert "This field is required." in text(as_alice.post(address, {"model": model}))
    as_alice.post(address, {"model": model, "changelog": "Reads sevens."})
    version = template.versions.first()
    assert (version.number, version.changelog) == (2, "Reads sevens.")
    assert as_alice.get(address).url == reverse("marketplace:draft", args=[template.slug])


def test_alice_deprecates_and_withdraws_with_a_reason_or_not_at_all(as_alice, client, template):
    deprecate, withdraw = (
        reverse("marketplace:change_version", args=[template.slug, 1, act])
        for act in ("deprecate", "withdraw")
    )
    page = text(as_alice.post(deprecate, {"reason": " "}, follow=True))
    assert "reason: is empty" in page
    page = text(as_alice.post(deprecate, {"reason": "It confuses 4 and 9."}, follow=True))
    assert "Deprecated: It confuses 4 and 9." in page
    page = text(as_alice.post(withdraw, {"reason": "Not my data."}, follow=True))
    assert "Not my data." in page
    assert not Template.objects.get().is_public


def test_the_page_of_versions_asks_the_same_for_many_as_for_one(
    as_alice, alice, judy, template, django_assert_max_num_queries
):
    for number in range(4):
        version = marketplace.start_version(
            owner=alice, template=template, model=template.shown.model, changelog=str(number)
        )
        marketplace.submit_version(actor=alice, version=version)
        marketplace.approve_template(actor=judy, template=template)
    with django_assert_max_num_queries(12):
        as_alice.get(reverse("marketplace:versions", args=[template.slug]))
    with django_assert_max_num_queries(12):
        as_alice.get(reverse("marketplace:mine"))
