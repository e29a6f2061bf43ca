"""People are told what happened: on their page, by e-mail where they want it, over the API."""

from datetime import timedelta

import pytest
from celery import current_app
from django.core import mail
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from governance import services as governance
from governance.models import AuditEntry, Notice, NoticeType, Scope
from governance.runner import mail as letters
from training.models import Model, Work
from training.runner import chunks, leases, sweeps, validations


def told(user, type=NoticeType.TEMPLATE_SOLD, text="Bob bought “Digit reader”.", url="/wallet/"):
    return governance.tell(user=user, type=type, text=text, url=url, data={"credits": "15"})


def text(response) -> str:
    return response.content.decode()


def test_alice_is_told_when_her_training_and_its_validation_are_done(alice, model):
    trained, validated = Notice.objects.of(alice).order_by("type")
    assert (trained.type, validated.type) == ("training.done", "validation.done")
    assert trained.text == f"“{model.name}” is trained."
    assert validated.data["model_id"] == str(model.pk)
    assert trained.url == validated.url == model.get_absolute_url()


def test_alice_is_told_why_her_training_failed(alice, job):
    chunks.give_up(chunks.claim(str(job.pk)), code="non_finite", message="The loss grew endless.")
    notice = Notice.objects.of(alice).get()
    assert notice.type == NoticeType.TRAINING_FAILED
    assert notice.text.endswith("failed: The loss grew endless.")
    assert notice.url == job.get_absolute_url()
    assert notice.is_mailed


def test_alice_is_told_why_a_validation_failed(alice, trained: Model):
    validation = trained.validations.get()
    validations.give_up(validation, code="too_few_rows", message="Three rows are too few.")
    notice = Notice.objects.of(alice).get(type=NoticeType.VALIDATION_FAILED)
    assert notice.data["code"] == "too_few_rows"


def test_alice_is_told_of_a_validation_that_took_too_many_workers(alice, trained: Model):
    trained.validations.update(
        status=Work.Status.RUNNING,
        lost_leases=leases.LOST_LEASES_MAX - 1,
        lease_until="2000-01-01T00:00Z",
    )
    sweeps.release_stalled()
    notice = Notice.objects.of(alice).get(type=NoticeType.VALIDATION_FAILED)
    assert notice.data["code"] == "poison"


def test_what_is_rolled_back_was_never_told(alice):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        told(alice)
        raise ZeroDivisionError
    assert not Notice.objects.exists()


def test_a_crowd_is_told_by_as_many_queries_as_one_person(
    alice, bob, mallory, judy, django_assert_num_queries
):
    everyone = [alice, bob, mallory, judy, alice]
    with django_assert_num_queries(5):
        governance.tell_all(
            users=everyone, type=NoticeType.TEMPLATE_NEW_VERSION, text="Version 2 is there.", url=""
        )
    assert Notice.objects.count() == 4


def test_a_long_name_leaves_the_notice_a_sentence(alice):
    assert len(told(alice, text="much " * 400).text) <= 500


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "/\\evil.example", "x"])
def test_no_notice_leads_to_another_site(alice, url):
    with pytest.raises(IntegrityError, match="notice_leads_to_this_site"), transaction.atomic():
        told(alice, url=url)


def test_the_bell_counts_and_following_a_notice_reads_it(client, alice):
    first, _second = told(alice), told(alice)
    client.force_login(alice)
    assert 'aria-label="Notices: 2 new"' in text(client.get("/notices/"))
    answer = client.get(reverse("governance:notice", args=[first.pk]))
    assert answer["Location"] == "/wallet/"
    page = text(client.get("/notices/"))
    assert 'aria-label="Notices: 1 new"' in page
    assert "Mark all as read" in page


def test_alice_marks_all_as_read(client, alice, bob):
    told(alice), told(alice), told(bob)
    client.force_login(alice)
    page = client.post(reverse("governance:read_notices"), follow=True)
    assert "Everything is read." in text(page)
    assert 'aria-label="Notices"' in text(page)
    assert governance.count_unread(bob) == 1


def test_a_stranger_cannot_read_a_notice(client, alice, mallory):
    notice = told(alice)
    address = reverse("governance:notice", args=[notice.pk])
    client.force_login(mallory)
    assert client.get(address).status_code == 404
    assert "bought" not in text(client.get("/notices/"))
    client.logout()
    assert client.get(address)["Location"].startswith("/account/login/")
    notice.refresh_from_db()
    assert notice.read_at is None


def test_the_bell_costs_one_query_and_the_list_no_more_for_many(
    client, alice, django_assert_max_num_queries
):
    for _ in range(3):
        told(alice)
    client.force_login(alice)
    client.get("/notices/")
    with django_assert_max_num_queries(8) as few:
        client.get("/notices/")
    for _ in range(40):
        told(alice)
    with django_assert_max_num_queries(len(few)):
        page = text(client.get("/notices/"))
    assert "Page 1 of 2" in page
    client.logout()
    with django_assert_max_num_queries(2) as strangers:
        client.get("/account/login/")
    assert not any("notice" in query["sql"] for query in strangers)


# By e-mail


def send(notice: Notice) -> None:
    letters.send_notice(str(notice.pk))


def test_what_matters_is_mailed_once_with_a_way_to_it(alice, settings):
    notice = told(alice)
    send(notice)
    send(notice)
    (letter,) = mail.outbox
    assert letter.to == [alice.email]
    assert letter.subject == "Bob bought “Digit reader”."
    assert f"{settings.SITE_URL}/wallet/" in letter.body
    assert f"{settings.SITE_URL}/notices/settings/" in letter.body


def test_a_letter_is_sent_by_a_worker_once_the_act_is_committed(
    alice, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as callbacks:
        told(alice)
        told(alice, type=NoticeType.TRAINING_DONE)
    assert len(callbacks) == 1


def test_alice_chooses_what_is_mailed(client, alice):
    client.force_login(alice)
    address = reverse("governance:notice_settings")
    assert "Somebody bought your template" in text(client.get(address))
    client.post(address, {"types": ["training.done", "template.rejected"]})
    assert governance.types_by_email(alice) == {
        NoticeType.TRAINING_DONE,
        NoticeType.TEMPLATE_REJECTED,
    }
    assert not told(alice).is_mailed
    assert told(alice, type=NoticeType.TRAINING_DONE).is_mailed
    assert AuditEntry.objects.get(verb="choose_notices").details["by_email"] == [
        "template.rejected",
        "training.done",
    ]


def test_a_type_that_is_not_there_is_refused_by_name(client, alice):
    client.force_login(alice)
    page = client.post(reverse("governance:notice_settings"), {"types": ["no.such"]})
    assert "no.such is not one of the available choices" in text(page)


def test_a_closed_account_gets_no_letters(alice):
    notice = told(alice)
    type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    send(notice)
    assert mail.outbox == []


def test_letters_that_no_server_takes_leave_the_others_their_turn(alice, monkeypatch):
    minutes = timezone.now() - timedelta(minutes=2)
    notices = [told(alice), told(alice)]
    for notice in notices:
        Notice.objects.filter(pk=notice.pk).update(at=minutes)
        minutes += timedelta(seconds=1)
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: sent.append(kwargs))
    monkeypatch.setattr(letters, "HINTED_AT_ONCE", 1)
    for _ in range(3):
        letters.hint_unsent()
    assert sent == [{"notice_id": str(notice.pk)} for notice in notices]


# For programs


def test_programs_read_notices_page_by_page_and_mark_none(client, alice, mallory):
    for number in range(120):
        told(alice, text=f"Sale {number}.")
    told(mallory, text="Not yours.")
    _, secret = governance.create_api_key(owner=alice, name="k", scopes=[Scope.NOTICES_READ])
    headers = {"Authorization": f"Bearer {secret}"}
    first = client.get("/api/v1/notices", headers=headers).json()
    assert (first["count"], first["unread"]) == (100, 100)
    assert first["notices"][0]["data"] == {"credits": "15"}
    assert first["notices"][0]["url"].endswith("/wallet/")
    second = client.get(first["next"], headers=headers).json()
    assert (second["count"], second["next"]) == (20, None)
    texts = [notice["text"] for notice in first["notices"] + second["notices"]]
    assert sorted(texts) == sorted(f"Sale {number}." for number in range(120))


def test_a_key_without_the_scope_reads_no_notices(client, alice):
    _, secret = governance.create_api_key(owner=alice, name="k", scopes=[Scope.PREDICT])
    answer = client.get("/api/v1/notices", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 403
    assert "notices:read" in answer.json()["detail"]
