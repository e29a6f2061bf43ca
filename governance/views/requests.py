"""The requests that pages of every app receive, and forms that act once."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from governance import services as governance
from governance.models import User

View = Callable[..., HttpResponse]


class PageRequest(HttpRequest):
    """What the middleware adds, for the types."""

    htmx: HtmxDetails


class MemberRequest(PageRequest):
    """The request of a view that only a signed-in person reaches."""

    user: User


def visitor(request: HttpRequest) -> User | None:
    """Who asks, if they have signed in."""
    return request.user if isinstance(request.user, User) else None


def led_once(request: MemberRequest, act: Callable[[], str]) -> str:
    """The address that a form leads to: the same when it is sent twice, as a double click does.

    A form that is shown anew bears another token (Django masks it each time), so what comes with
    the same one, and says the same and brings the same files, was pressed twice.
    """
    if not request.POST.get("csrfmiddlewaretoken"):
        return act()
    said = dict(request.POST.lists())
    for name, files in request.FILES.lists():
        said[name] = [f"{governance.digest_of(file)} {file.name}" for file in files]
    _, address, _ = governance.answer_once(
        user=request.user,
        route=request.path,
        key=governance.fingerprint(said),
        payload=said,
        act=lambda: (HTTPStatus.FOUND, act()),
        waits=True,
    )
    return str(address)


def pressed_on(page: str) -> Callable[[View], View]:
    """What a button does, for who is signed in; `page` is where it stands, from its own address.

    Who comes here without having pressed it, as after signing in, is led to that page: what they
    pressed before is done only when they press it again.
    """

    def decorated(act: View) -> View:
        @login_required
        @require_http_methods(["GET", "HEAD", "POST"])
        @wraps(act)
        def answer(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method == "POST":
                return act(request, *args, **kwargs)
            messages.info(request, "Nothing was done yet. Press the button on this page again.")
            return redirect(page)

        return answer

    return decorated
