"""Signing up, keys, and the desk in the admin."""

import re

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.http import urlencode

from billing import services as billing
from governance import services as governance
from governance.models import ApiKey, AuditEntry, Role, User
from marketplace import services as marketplace
from marketplace.models import Template


def text(response) -> str:
    return response.content.decode()


def test_a_newcomer_signs_up_confirms_the_address_and_gets_welcome_credits(client, db):
    form = {
        "email": "carol@example.com",
        "username": "carol",
        "password1": "a long enough one",
        "password2": "a long enough one",
    }
    page = client.post(reverse("account_signup"), form, follow=True)
    assert page.status_code == 200
    carol = User.objects.get(username="carol")
    assert billing.available_microcredits(carol) == 0
    code = re.search(r"^([A-Z0-9-]{6,})$", mail.outbox[0].body, re.MULTILINE)
    page = client.post(reverse("account_email_verification_sent"), {"code": code[1]}, follow=True)
    assert page.status_code == 200
    assert billing.available_credits(carol) == "100"
    assert "carol" in text(client.get("/"))


def test_a_secret_is_shown_once_and_the_key_can_be_revoked(client, bob):
    client.force_login(bob)
    page = client.post(reverse("governance:keys"), {"name": "laptop", "scopes": ["predict"]})
    assert "nnm_live_" in text(page)
    key = ApiKey.objects.get()
    assert page["Cache-Control"].startswith("max-age=0")
    secret = re.search(r"nnm_live_\w{8}_\w{46}", text(page))[0]
    assert secret not in text(client.get(reverse("governance:keys")))
    page = client.post(reverse("governance:revoke_key", args=[key.pk]), follow=True)
    assert "no longer works" in text(page)


def test_mallory_cannot_revoke_by_address(client, bob, mallory):
    client.force_login(bob)
    client.post(reverse("governance:keys"), {"name": "laptop", "scopes": ["predict"]})
    client.force_login(mallory)
    key = ApiKey.objects.get()
    assert client.post(reverse("governance:revoke_key", args=[key.pk])).status_code == 404


@pytest.fixture
def waiting(alice, model) -> Template:
    return marketplace.publish_template(
        owner=alice, model=model, name="Waits", description="d", category="vision", plan="free"
    )


def decide(client, template, action, note=""):
    address = reverse(f"admin:marketplace_template_{action}", args=[template.pk])
    address += f"?{urlencode({'seen': template.newest.submission})}"
    return client.post(address, {"_form_submitted": "on", "note": note})


def the_list(client) -> str:
    return text(client.get(reverse("admin:marketplace_template_changelist")))


def test_judy_approves_in_the_admin(client, judy, waiting):
    client.force_login(judy)
    detail = reverse("admin:marketplace_template_change", args=[waiting.pk])
    assert waiting.newest.model.weights_sha256[:16] in text(client.get(detail))
    answer = decide(client, waiting, "approve")
    assert answer["HX-Redirect"] == reverse("admin:marketplace_template_changelist")
    assert "is approved" in the_list(client)
    assert decide(client, waiting, "approve").status_code == 403  # nothing waits any more
    waiting.refresh_from_db()
    assert waiting.state == "published"


def test_judy_rejects_with_a_note_only(client, judy, waiting):
    client.force_login(judy)
    assert "This field is required" in text(decide(client, waiting, "reject"))
    decide(client, waiting, "reject", "Describe it.")
    assert "is rejected" in the_list(client)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.newest.review_note) == ("rejected", "Describe it.")


def test_the_desk_is_closed_to_members(client, bob, waiting):
    client.force_login(bob)
    assert client.get(reverse("admin:index")).status_code == 302
    assert decide(client, waiting, "approve").status_code in (302, 403)
    waiting.refresh_from_db()
    assert waiting.state == "submitted"


def test_looking_at_the_dialog_decides_nothing(client, judy, waiting):
    client.force_login(judy)
    address = reverse("admin:marketplace_template_approve", args=[waiting.pk])
    assert "Make this template public?" in text(client.get(address))
    waiting.refresh_from_db()
    assert waiting.state == "submitted"


def test_the_desk_changes_nothing_but_by_services(client, judy, waiting):
    client.force_login(judy)
    for name in ("marketplace_template", "training_job", "governance_auditentry"):
        assert client.get(reverse(f"admin:{name}_add")).status_code == 403
    delete = reverse("admin:marketplace_template_delete", args=[waiting.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert Template.objects.filter(pk=waiting.pk).exists()


@pytest.mark.parametrize("address", ["nonsense", "0", "00000000-0000-0000-0000-000000000000"])
def test_a_template_that_is_not_there_is_not_decided(client, judy, address):
    client.force_login(judy)
    for action in ("approve", "reject"):
        answer = client.post(f"/admin/marketplace/template/{address}/{action}/")
        assert answer.status_code in (403, 404)


def test_a_filter_that_no_row_can_have_is_refused(client, judy, waiting):
    client.force_login(judy)
    address = reverse("admin:marketplace_template_changelist")
    assert client.get(address, {"versions__status__exact": "published"}).status_code == 200
    assert client.get(address, {"versions__status__exact": "\0"}).status_code == 400


def moderate(client, template, action, **fields):
    address = reverse(f"admin:marketplace_template_{action}", args=[template.pk])
    address += f"?{urlencode({'seen': template.newest.submission})}"
    return client.post(address, {"_form_submitted": "on"} | fields)


def test_judy_hides_and_restores_in_the_admin_and_what_is_deployed_stops(
    client, judy, bob, alice, template
):
    marketplace.buy_template(buyer=bob, template=template)
    deployment = marketplace.deploy_template(owner=bob, template=template)
    client.force_login(judy)
    assert "HX-Redirect" not in moderate(client, template, "hide")  # not without a reason
    assert moderate(client, template, "hide", reason="Copied.")["HX-Redirect"]
    template.refresh_from_db()
    deployment.refresh_from_db()
    assert template.hidden_at is not None
    assert deployment.is_over
    for person in (bob, alice):
        with pytest.raises(governance.NotAllowed, match="hidden .*: Copied"):
            marketplace.deploy_template(owner=person, template=template)
    assert moderate(client, template, "hide", reason="Again.").status_code == 403
    client.force_login(alice)
    assert "only you see it: Copied." in text(client.get(template.get_absolute_url()))
    client.force_login(judy)
    assert moderate(client, template, "restore")["HX-Redirect"]
    assert marketplace.deploy_template(owner=bob, template=template) != deployment
    verbs = AuditEntry.objects.filter(actor=judy).values_list("verb", flat=True)
    assert list(verbs[:2]) == ["restore", "hide"]  # the newest first


def test_an_administrator_closes_an_account_and_it_is_written_down(client, judy, bob, mallory):
    governance.grant_role(actor=None, user=bob, role=Role.ADMIN)
    closing = reverse("admin:governance_user_close", args=[mallory.pk])
    form = {"_form_submitted": "on", "reason": "Sold what was not hers."}
    client.force_login(judy)
    assert client.post(closing, form).status_code == 403  # a moderator may look
    detail = reverse("admin:governance_user_change", args=[mallory.pk])
    assert client.get(detail).status_code == 200
    assert client.post(detail, {"is_superuser": "on"}).status_code == 403
    client.force_login(bob)
    assert client.post(closing, form)["HX-Redirect"]
    mallory.refresh_from_db()
    assert not mallory.is_active
    entry = AuditEntry.objects.get(verb="close_account")
    assert (entry.actor, entry.details) == (bob, {"reason": form["reason"]})
    client.post(reverse("admin:governance_user_reopen", args=[mallory.pk]), form)
    mallory.refresh_from_db()
    assert mallory.is_active
    with pytest.raises(governance.NotAllowed, match="their own"):
        governance.close_account(actor=bob, user=bob, reason="Tired.")
