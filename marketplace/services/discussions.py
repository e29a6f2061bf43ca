"""Threads and posts under a template: ask, answer, accept; pin and lock."""

from django.db import transaction
from django.db.models.functions import Now

from governance import services as governance
from governance.models import NoticeType, User
from governance.services import Refusal
from marketplace.models import Post, Template, Thread
from marketplace.models.discussions import POST_LENGTH_MAX, TITLE_LENGTH_MAX


class InvalidPost(Refusal):
    """A field is missing or out of range; the text names it."""

    status = 422


class ThreadLocked(Refusal):
    """Nothing is added to a locked thread."""


def check_text(text: str) -> None:
    if not text.strip():
        raise InvalidPost("text: must not be empty.")
    if len(text) > POST_LENGTH_MAX:
        raise InvalidPost(f"text: has {len(text):,} letters; at most {POST_LENGTH_MAX:,}.")


@transaction.atomic
def start_thread(
    *, author: User, template: Template, title: str, text: str, kind: Thread.Kind
) -> Thread:
    """Ask something about a template, or talk about it; everyone who sees it may answer."""
    if not title.strip() or not title.isprintable():
        raise InvalidPost("title: must be text that people can see, in one line.")
    if len(title) > TITLE_LENGTH_MAX:
        raise InvalidPost(f"title: has {len(title):,} letters; at most {TITLE_LENGTH_MAX:,}.")
    check_text(text)
    thread = Thread.objects.create(template=template, author=author, kind=kind, title=title.strip())
    Post.objects.create(thread=thread, author=author, text=text)
    governance.record(
        actor=author,
        verb="start_thread",
        subject=thread,
        details={"template": str(template.pk)},
    )
    if author.pk != template.owner_id:
        governance.tell(
            user=template.owner,
            type=NoticeType.TEMPLATE_QUESTION,
            text=f"{author} asks about “{template.name}”: {thread.title}",
            url=thread.get_absolute_url(),
            data={"template_id": str(template.pk), "thread_id": str(thread.pk)},
        )
    return thread


@transaction.atomic
def add_post(*, author: User, thread: Thread, text: str) -> Post:
    check_text(text)
    open_one = Thread.objects.filter(pk=thread.pk, locked_at=None, hidden_at=None)
    if not open_one.update(active_at=Now()):
        raise ThreadLocked("This thread is locked or hidden; start another one.")
    post = Post.objects.create(thread=thread, author=author, text=text)
    governance.record(
        actor=author, verb="add_post", subject=post, details={"thread": str(thread.pk)}
    )
    concerned = {person.pk: person for person in (thread.author, thread.template.owner)}
    concerned.pop(author.pk, None)
    governance.tell_all(
        users=concerned.values(),
        type=NoticeType.TEMPLATE_ANSWERED,
        text=f"{author} answered in “{thread.title}”.",
        url=post.get_absolute_url(),
        data={"thread_id": str(thread.pk), "post_id": str(post.pk)},
    )
    return post


@transaction.atomic
def edit_post(*, actor: User, post: Post, text: str) -> Post:
    if post.author_id != actor.pk:
        raise governance.NotAllowed("Only who wrote a post edits it.")
    if post.thread.locked_at is not None:
        raise ThreadLocked("This thread is locked; its posts stay as they are.")
    check_text(text)
    governance.record(actor=actor, verb="edit_post", subject=post, details={"before": post.text})
    Post.objects.filter(pk=post.pk).update(text=text, edited_at=Now())
    post.refresh_from_db()
    return post


def may_lead(user: User, thread: Thread) -> bool:
    """The author of the template and moderators pin and lock."""
    return thread.template.owner_id == user.pk or user.has_role(*governance.HIDING_ROLES)


def require_lead(actor: User, thread: Thread) -> None:
    if not may_lead(actor, thread):
        raise governance.NotAllowed("Only the template's author or a moderator does this.")


@transaction.atomic
def pin_thread(*, actor: User, thread: Thread, is_pinned: bool) -> Thread:
    require_lead(actor, thread)
    Thread.objects.filter(pk=thread.pk).update(is_pinned=is_pinned)
    governance.record(
        actor=actor, verb="pin_thread", subject=thread, details={"is_pinned": is_pinned}
    )
    thread.refresh_from_db()
    return thread


@transaction.atomic
def lock_thread(*, actor: User, thread: Thread, is_locked: bool) -> Thread:
    require_lead(actor, thread)
    Thread.objects.filter(pk=thread.pk).update(locked_at=Now() if is_locked else None)
    governance.record(
        actor=actor, verb="lock_thread", subject=thread, details={"is_locked": is_locked}
    )
    thread.refresh_from_db()
    return thread


@transaction.atomic
def accept_answer(*, actor: User, post: Post) -> Thread:
    """Mark the post that answers a question; who asked, or the template's author, decides."""
    thread = post.thread
    if actor.pk not in (thread.author_id, thread.template.owner_id):
        raise governance.NotAllowed("Only who asked, or the template's author, accepts an answer.")
    if thread.kind != Thread.Kind.QUESTION:
        raise Refusal("A discussion has no answer to accept.")
    if thread.posts.order_by("created_at", "pk").first() == post:
        raise Refusal("A question does not answer itself; post the answer below it first.")
    Thread.objects.filter(pk=thread.pk).update(answer=post)
    governance.record(
        actor=actor, verb="accept_answer", subject=thread, details={"post": str(post.pk)}
    )
    thread.refresh_from_db()
    return thread
