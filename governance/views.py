"""The page of a person's API keys, and the requests that pages of every app receive."""

from collections.abc import Callable
from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.middleware import HtmxDetails

from governance import services as governance
from governance.forms import ApiKeyForm
from governance.models import ApiKey, Scope, User


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
    _, address, _ = governance.answer_once(
        user=request.user,
        route=request.path,
        key=governance.fingerprint(said),
    for name, files in request.FILES.lists():
        said[name] = [f"{governance.digest_of(file)} {file.name}" for file in files]
        payload=said,
        act=lambda: (HTTPStatus.FOUND, act()),
    )
    return str(address)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def keys(request: MemberRequest) -> HttpResponse:
    form = ApiKeyForm(request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        key, secret = governance.create_api_key(
            owner=request.user,
            name=form.cleaned_data["name"],
            scopes=[Scope(scope) for scope in form.cleaned_data["scopes"]],
        )
        messages.success(request, f"The key “{key.name}” was made. Copy it now.")
        form = ApiKeyForm()
    context = {"keys": ApiKey.objects.of(request.user), "form": form, "secret": secret}
    return render(request, "governance/keys.html", context)


@login_required
@require_POST
def revoke_key(request: MemberRequest, key_id: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.of(request.user), pk=key_id)
    governance.revoke_api_key(owner=request.user, key=key)
    messages.success(request, f"The key “{key.name}” no longer works.")
    return redirect("governance:keys")
