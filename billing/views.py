"""The page of a person's wallet."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from billing import forms
from billing import services as billing
from governance.models import User


@login_required
@never_cache
@require_GET
def wallet(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    before = forms.cursor(request.GET)
    context = {"wallet": billing.wallet(user=request.user, before=before), "before": before}
    return render(request, "billing/wallet.html", context)
