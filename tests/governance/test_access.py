"""Roles, keys, and answers given once."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from governance import services as governance
from governance.models import Answer, ApiKey, AuditEntry, Role, RoleGrant, Scope
from governance.runner import answers


def test_only_an_administrator_gives_roles(alice, bob, judy):
    with pytest.raises(governance.NotAllowed):
        governance.grant_role(actor=judy, user=bob, role=Role.MODERATOR)
    governance.grant_role(actor=None, user=alice, role=Role.ADMIN)
    governance.grant_role(actor=alice, user=bob, role=Role.FINANCE)
    bob.refresh_from_db()
    assert bob.has_role(Role.FINANCE)
    assert bob.is_staff
    assert not bob.has_role(Role.MODERATOR)
    entry = AuditEntry.objects.filter(verb="grant_role", subject_id=str(bob.pk)).get()
    assert (entry.actor, entry.details) == (alice, {"role": "finance"})


def test_the_database_knows_the_roles(bob):
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(user=bob, role="emperor")


def test_a_key_is_stored_so_that_it_can_be_checked_and_not_read(bob):
    key, secret = governance.create_api_key(owner=bob, name="laptop", scopes=[Scope.PREDICT])
    assert governance.find_api_key(secret) == key
    assert secret not in str(list(ApiKey.objects.values()))
    assert governance.find_api_key(secret[:-1] + ("a" if secret[-1] != "a" else "b")) is None


def test_a_key_that_expired_or_was_revoked_opens_nothing(bob):
    key, secret = governance.create_api_key(owner=bob, name="laptop", scopes=[Scope.PREDICT])
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert governance.find_api_key(secret) is None
    ApiKey.objects.update(expires_at=None)
    governance.revoke_api_key(owner=bob, key=key)
    assert governance.find_api_key(secret) is None
    with pytest.raises(governance.Refusal, match="already revoked"):
        governance.revoke_api_key(owner=bob, key=key)


def test_mallory_cannot_revoke_the_key_of_bob(bob, mallory):
    key, secret = governance.create_api_key(owner=bob, name="laptop", scopes=[Scope.PREDICT])
    with pytest.raises(governance.Refusal):
        governance.revoke_api_key(owner=mallory, key=key)
    assert governance.find_api_key(secret) == key


def test_a_key_that_may_do_nothing_is_not_made(bob):
    with pytest.raises(governance.Refusal, match="at least one"):
        governance.create_api_key(owner=bob, name="laptop", scopes=[])


def test_the_use_of_a_key_is_noted_once_a_minute(bob, django_assert_num_queries):
    key, secret = governance.create_api_key(owner=bob, name="laptop", scopes=[Scope.PREDICT])
    governance.find_api_key(secret)
    key.refresh_from_db()
    first = key.last_used_at
    with django_assert_num_queries(1):
        governance.find_api_key(secret)
    key.refresh_from_db()
    assert key.last_used_at == first is not None


def test_an_answer_is_given_once_per_key(bob):
    acts = []

    def act():
        acts.append(1)
        return 201, {"made": len(acts)}

    asked = {"user": bob, "route": "/x", "key": "k", "act": act}
    assert governance.answer_once(payload={"a": 1}, **asked) == (201, {"made": 1}, False)
    assert governance.answer_once(payload={"a": 1}, **asked) == (201, {"made": 1}, True)
    with pytest.raises(governance.KeyReused):
        governance.answer_once(payload={"a": 2}, **asked)
    assert len(acts) == 1


def test_a_refusal_leaves_the_key_free(bob):
    def refuse():
        raise governance.Refusal("not now")

    asked = {"user": bob, "route": "/x", "key": "k", "payload": {}}
    with pytest.raises(governance.Refusal):
        governance.answer_once(act=refuse, **asked)
    assert governance.answer_once(act=lambda: (200, {}), **asked) == (200, {}, False)


def test_only_moderators_hide_and_they_say_why(judy, bob, template):
    with pytest.raises(governance.NotAllowed):
        governance.hide(actor=bob, subject=template, reason="I do not like it.")
    with pytest.raises(governance.Refusal, match="Say why"):
        governance.hide(actor=judy, subject=template, reason="")
    governance.hide(actor=judy, subject=template, reason="Copied.")
    template.refresh_from_db()
    assert template.hidden_reason == "Copied."
    governance.restore(actor=judy, subject=template)
    template.refresh_from_db()
    assert template.hidden_at is None


def test_an_answer_is_forgotten_when_nobody_repeats_its_call_any_more(bob, settings):
    asked = {"user": bob, "route": "/x", "key": "k", "payload": {}, "act": lambda: (200, {})}
    governance.answer_once(**asked)
    answers.forget_answers()
    assert governance.answer_once(**asked)[2]
    Answer.objects.update(
        created_at=timezone.now() - timedelta(days=settings.RETENTION_DAYS, seconds=1)
    )
    answers.forget_answers()
    assert not governance.answer_once(**asked)[2]
