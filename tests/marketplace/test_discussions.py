"""Questions and answers about a template."""

import pytest
from django.urls import reverse

from governance import services as governance
from governance.models import Notice
from governance.services import NotAllowed, Refusal
from marketplace import services as marketplace
from marketplace.models import Post, Thread
from marketplace.views.discussions import PAGE_SIZE

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture
def question(bob, template) -> Thread:
    return marketplace.start_thread(
        author=bob,
        template=template,
        title="Does it read sevens?",
        text="With a *bar*, as we write them.",
        kind=Thread.Kind.QUESTION,
    )


def test_bob_asks_alice_answers_and_bob_accepts(alice, bob, question):
    assert Notice.objects.of(alice).filter(type="template.question").count() == 1
    answer = marketplace.add_post(author=alice, thread=question, text="It does.")
    assert Notice.objects.of(bob).filter(type="template.answered").count() == 1
    assert marketplace.accept_answer(actor=bob, post=answer).answer == answer


def test_only_who_asked_and_the_author_accept(alice, mallory, question):
    answer = marketplace.add_post(author=mallory, thread=question, text="Buy mine.")
    with pytest.raises(NotAllowed):
        marketplace.accept_answer(actor=mallory, post=answer)
    with pytest.raises(Refusal, match="itself"):
        marketplace.accept_answer(actor=alice, post=question.posts.first())


def test_nothing_is_added_to_what_is_locked(alice, bob, mallory, question):
    with pytest.raises(NotAllowed):
        marketplace.lock_thread(actor=mallory, thread=question, is_locked=True)
    marketplace.lock_thread(actor=alice, thread=question, is_locked=True)
    with pytest.raises(marketplace.ThreadLocked):
        marketplace.add_post(author=bob, thread=question, text="And nines?")
    marketplace.lock_thread(actor=alice, thread=question, is_locked=False)
    marketplace.add_post(author=bob, thread=question, text="And nines?")


def test_nothing_is_added_to_what_a_moderator_hid(bob, judy, question):
    governance.hide(actor=judy, subject=question, reason="An advertisement.")
    with pytest.raises(marketplace.ThreadLocked, match="locked or hidden"):
        marketplace.add_post(author=bob, thread=question, text="And nines?")


def test_a_post_leads_to_its_page_and_pressing_twice_posts_once(client, alice, bob, question):
    for number in range(PAGE_SIZE):
        marketplace.add_post(author=alice, thread=question, text=f"Number {number}.")
    client.force_login(bob)
    client.get(question.get_absolute_url())
    pressed = {"text": "The thirty-first.", "csrfmiddlewaretoken": "one and the same"}
    first, again = (client.post(question.get_absolute_url(), pressed) for _ in range(2))
    assert first.url == again.url
    assert question.posts.filter(text="The thirty-first.").count() == 1
    page = client.get(first.url).content.decode()
    assert "The thirty-first." in page
    assert "Number 0." not in page
    assert "This answers it" in page  # the first of this page opens no thread
    assert "Number 0." in client.get(f"{question.get_absolute_url()}?post=no-id").content.decode()


def test_a_pinned_thread_stands_first(client, alice, judy, bob, template, question):
    later = marketplace.start_thread(
        author=bob, template=template, title="Thanks", text="!", kind=Thread.Kind.DISCUSSION
    )
    address = reverse("marketplace:discussion", args=[template.slug])
    page = client.get(address).content.decode()
    assert page.index(later.title) < page.index(question.title)
    marketplace.pin_thread(actor=judy, thread=question, is_pinned=True)
    page = client.get(address).content.decode()
    assert page.index(question.title) < page.index(later.title)


def test_what_judy_hides_only_its_author_sees(client, judy, bob, mallory, question):
    governance.hide(actor=judy, subject=question, reason="Advertisement.")
    for user, status in ((mallory, 404), (bob, 200)):
        client.force_login(user)
        assert client.get(question.get_absolute_url()).status_code == status


def test_posts_cannot_carry_scripts(client, bob, template, question):
    marketplace.add_post(author=bob, thread=question, text="<script>alert(1)</script> **bold**")
    page = client.get(question.get_absolute_url()).content.decode()
    assert "<script>alert" not in page
    assert "<strong>bold</strong>" in page


def test_bob_asks_and_edits_on_the_page_and_mallory_does_not(client, bob, mallory, template):
    client.force_login(bob)
    new = reverse("marketplace:new_thread", args=[template.slug])
    assert "need attention" in client.post(new, {"title": ""}).content.decode()
    asked = {"kind": "question", "title": "Sevens?", "text": "Does it?"}
    thread = client.post(new, asked, follow=True)
    assert "Does it?" in thread.content.decode()
    post = Post.objects.get()
    edit = reverse("marketplace:edit_post", args=[template.slug, post.thread_id, post.pk])
    client.post(edit, {"text": "Does it, really?"})
    post.refresh_from_db()
    assert post.text == "Does it, really?" and post.edited_at
    client.force_login(mallory)
    assert client.post(edit, {"text": "No."}).status_code == 403


def test_pressing_twice_asks_once(client, bob, template):
    client.force_login(bob)
    new = reverse("marketplace:new_thread", args=[template.slug])
    asked = {"kind": "question", "title": "Sevens?", "text": "?", "csrfmiddlewaretoken": "x" * 32}
    for _ in range(2):
        client.post(new, asked)
    assert Thread.objects.count() == 1
