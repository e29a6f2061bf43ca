"""Trying before one has it: free answers on the site, and the model in the visitor's browser."""

import html

import pytest
from django.test import Client

from billing import services as billing
from billing.models import UsageEvent
from governance.services import NotAllowed
from marketplace import services as marketplace
from marketplace.models import Plan, Template
from tests.marketplace.test_downloads import as_, fetch
from training import services as training
from training.models import Export
from training.runner import exports

pytestmark = pytest.mark.usefixtures("shared_template")

WASM = "'wasm-unsafe-eval'"


@pytest.fixture
def free(alice, judy, model) -> Template:
    """alice's template that costs nothing, with its own file on offer."""
    template = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Free reader",
        description="Reads digits.",
        category="vision",
        plan=Plan.FREE,
    )
    return marketplace.approve_template(actor=judy, template=template)


def text(response) -> str:
    return html.unescape(response.content.decode())


def row_of(digits) -> dict[str, str]:
    return {"row": str(training.preview_rows(dataset=digits, part=training.Part.TEST)[0].number)}


def test_bob_has_so_many_answers_a_day_for_nothing(template, bob, alice, digits):
    marketplace.allow_tries(actor=alice, template=template, daily_tries=2)
    address, row = f"{template.get_absolute_url()}try/", row_of(digits)
    had = billing.available_microcredits(bob)
    browser = as_(bob)
    assert "You have 2 of 2 free answers" in text(browser.get(address))
    for _ in range(2):
        assert "% sure" in text(browser.post(address, row))
    refused = text(browser.post(address, row))
    assert "are used up. Deploy it" in refused
    assert "% sure" not in refused
    events = UsageEvent.objects.filter(user=bob)
    assert [(one.price_microcredits, one.author_id) for one in events] == [(0, None)] * 2
    assert billing.available_microcredits(bob) == had
    assert "% sure" in text(as_(alice).post(address, row))  # her own, without end


def test_a_question_that_is_refused_costs_no_try(template, bob):
    address = f"{template.get_absolute_url()}try/"
    assert "must be 64 values" in text(as_(bob).post(address, {"pixels": "1,2,3"})).lower()
    assert marketplace.tries_left(user=bob, template=template) == 10


def test_nobody_pays_for_who_is_not_signed_in(template, digits):
    address, row = f"{template.get_absolute_url()}try/", row_of(digits)
    assert "signed in</a> has 10 free answers a day" in text(Client().get(address))
    assert Client().post(address, row).url.startswith("/account/login/")
    swapped = Client().post(address, row, headers={"HX-Request": "true"})
    assert swapped["HX-Redirect"].startswith("/account/login/")
    assert not UsageEvent.objects.exists()


def test_only_the_author_says_how_many_tries_there_are(template, alice, mallory):
    with pytest.raises(NotAllowed):
        marketplace.allow_tries(actor=mallory, template=template, daily_tries=100)
    address = f"{template.get_absolute_url()}tries/"
    assert as_(mallory).post(address, {"daily_tries": "100"}).status_code == 403
    assert "Each member has 0" in text(as_(alice).post(address, {"daily_tries": "0"}, follow=True))
    assert "whole number from 0 to 100" in text(
        as_(alice).post(address, {"daily_tries": "101"}, follow=True)
    )
    template.refresh_from_db()
    assert template.daily_tries == 0


def test_weights_go_to_the_browsers_of_those_alone_who_may_have_them(
    template, free, alice, bob, mallory
):
    training.order_export(actor=alice, model=template.shown.model, kind="wasm")
    exports.make_export(str(Export.objects.get().pk))
    paid = f"{template.get_absolute_url()}try/model.wasm"
    for client in (Client(), as_(mallory), as_(bob)):
        assert fetch(paid, client).status_code == 403
    marketplace.buy_template(buyer=bob, template=template)
    answer = fetch(paid, as_(bob))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/wasm")
    assert "private" in answer["Cache-Control"]
    assert fetch(paid, as_(alice)).status_code == 200
    assert fetch(f"{free.get_absolute_url()}try/model.wasm").status_code == 200
    assert "data-model" not in text(as_(mallory).get(f"{template.get_absolute_url()}try/"))
    assert "data-model" in text(as_(bob).get(f"{template.get_absolute_url()}try/"))


def test_answers_alone_are_given_where_no_file_is(alice, judy, bob, model):
    draft = marketplace.start_template(owner=alice, model=model, name="Answers")
    marketplace.describe_template(
        actor=alice,
        template=draft,
        name="Answers",
        summary="",
        description="d",
        category="vision",
    )
    marketplace.offer_files(actor=alice, version=draft.newest, files=[])
    marketplace.submit_version(actor=alice, version=draft.newest)
    closed = marketplace.approve_template(actor=judy, template=draft)
    marketplace.buy_template(buyer=bob, template=closed)
    offer = marketplace.find_offer(viewer=bob, slug=closed.slug)
    assert not marketplace.runs_here(offer)
    assert fetch(f"{closed.get_absolute_url()}try/model.wasm", as_(bob)).status_code == 403
    assert "gives answers alone" in text(as_(bob).get(f"{closed.get_absolute_url()}try/"))


def test_bob_has_a_free_model_prepared_for_browsers(free, bob, mallory, template):
    address = f"{free.get_absolute_url()}try/"
    assert "Prepare it for browsers" in text(as_(bob).get(address))
    assert as_(bob).post(f"{address}prepare/").url == address
    assert "A worker makes the file" in text(as_(bob).get(address))
    exports.make_export(str(Export.objects.get().pk))
    assert "data-model" in text(as_(bob).get(address))
    assert as_(mallory).post(f"{template.get_absolute_url()}try/prepare/").status_code == 403


def test_this_page_alone_may_compile_webassembly(template, bob):
    policy = as_(bob).get(f"{template.get_absolute_url()}try/")["Content-Security-Policy"]
    assert WASM in policy
    assert "'unsafe-eval'" not in policy
    for other in (template.get_absolute_url(), "/templates/", "/"):
        assert WASM not in as_(bob).get(other).get("Content-Security-Policy", "")


def test_the_authors_examples_stand_in_the_form(alice, bob, judy, model):
    draft = marketplace.start_template(owner=alice, model=model, name="With examples")
    rows = [[7.0] * 64, [3.0] * 64]
    marketplace.give_examples(actor=alice, version=draft.newest, examples=rows)
    marketplace.describe_template(
        actor=alice, template=draft, name="E", summary="", description="d", category="vision"
    )
    marketplace.submit_version(actor=alice, version=draft.newest)
    made = marketplace.approve_template(actor=judy, template=draft)
    address = f"{made.get_absolute_url()}try/"
    assert "7 7 7" in text(as_(bob).get(address))
    assert "3 3 3" in text(as_(bob).get(f"{address}?example=2"))
    for odd in ("x", "9", "-1", "0"):
        assert as_(bob).get(f"{address}?example={odd}").status_code == 200


def test_what_is_gone_cannot_be_tried(template, alice, bob):
    marketplace.withdraw_template(actor=alice, template=template, reason="I retire.")
    answer = as_(bob).get(f"{template.get_absolute_url()}try/")
    assert answer.status_code == 410
    assert "I retire." in text(answer)
