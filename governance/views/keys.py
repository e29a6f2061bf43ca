"""The page of a person's API keys."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from governance import services as governance
from governance.forms import ApiKeyForm
from governance.models import ApiKey, Scope
from governance.views.requests import MemberRequest, pressed_on


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


@pressed_on("../../")
def revoke_key(request: MemberRequest, key_id: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.of(request.user), pk=key_id)
    governance.revoke_api_key(owner=request.user, key=key)
    messages.success(request, f"The key “{key.name}” no longer works.")
    return redirect("governance:keys")
