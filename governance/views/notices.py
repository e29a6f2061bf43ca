"""The pages of what a person is told.

A notice is read when its reader follows it. That is a GET, so that it works as a plain link, and it
changes nothing but for whom it is: whoever comes twice finds it read.
"""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from governance import services as governance
from governance.forms import NoticesForm
from governance.models import Notice, NoticeType
from governance.views.requests import MemberRequest, pressed_on

PAGE_SIZE = 30


@login_required
@require_GET
def notices(request: MemberRequest) -> HttpResponse:
    rows = Notice.objects.of(request.user)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "governance/notices.html", {"page_obj": page})


@login_required
@require_GET
def notice(request: MemberRequest, notice_id: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(Notice.objects.of(request.user), pk=notice_id)
    governance.read_notice(user=request.user, notice=found)
    return redirect(found.url or "governance:notices")


@pressed_on("../")
def read_notices(request: MemberRequest) -> HttpResponse:
    governance.read_notices(user=request.user)
    messages.success(request, "Everything is read.")
    return redirect("governance:notices")


@login_required
@require_http_methods(["GET", "POST"])
def notice_settings(request: MemberRequest) -> HttpResponse:
    chosen = governance.types_by_email(request.user)
    form = NoticesForm(request.POST or None, initial={"types": sorted(chosen)})
    if request.method == "POST" and form.is_valid():
        types = [NoticeType(type) for type in form.cleaned_data["types"]]
        governance.choose_email(user=request.user, types=types)
        messages.success(request, "Your choice was saved.")
        return redirect("governance:notices")
    return render(request, "governance/notice_settings.html", {"form": form})
