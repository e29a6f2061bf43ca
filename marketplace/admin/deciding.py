"""How a moderator decides on what waits, from wherever it is shown."""

from functools import partial
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import urlencode

from governance.admin import DeskAdmin, dialog
from governance.models import Role
from marketplace import services as marketplace
from marketplace.forms.desk import ApproveForm, NoteForm
from marketplace.models import Template

STATUS_COLOURS = {
    "submitted": "warning",
    "in_review": "warning",
    "changes_requested": "info",
    "published": "success",
    "rejected": "danger",
    "removed": "danger",
}


class DecidingAdmin(DeskAdmin):
    """Where what waits is decided, be the row a template or a version. Moderators decide; the
    services hold it too.
    """

    def template_of(self, object_id: str) -> Template:
        row = self.model.objects.get(pk=object_id)
        return row if isinstance(row, Template) else row.template

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Its dialogs are led to by what stands on this page, so that nothing else is decided."""
        row = self.get_object(request, object_id)
        waiting = row.waiting if isinstance(row, Template) else row
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        if waiting is not None and isinstance(answer, TemplateResponse) and answer.context_data:
            for act in answer.context_data["actions_detail"]:
                act["path"] += f"?{urlencode({'seen': waiting.submission})}"
        return answer

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        row = self.row_for(request, object_id, [Role.MODERATOR, Role.SENIOR_MODERATOR])
        return row is not None and row.is_waiting

    @dialog(
        "Approve",
        permission="decide",
        question="Make this template public?",
        consequence="Everybody will see it, with the numbers measured here.",
        form=ApproveForm,
    )
    def approve(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = self.template_of(object_id)
        note = form.cleaned_data["note"]
        act = partial(
            marketplace.approve_template, template=template, note=note, seen=seen(request)
        )
        return self.answer(request, act, f"“{template.name}” is approved.")

    @dialog(
        "Request changes",
        permission="decide",
        question="Send this template back?",
        consequence="The author reads your note, mends what it says and submits it again.",
        form=NoteForm,
    )
    def send_back(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = self.template_of(object_id)
        note = form.cleaned_data["note"]
        act = partial(marketplace.request_changes, template=template, note=note, seen=seen(request))
        return self.answer(request, act, f"“{template.name}” went back.")

    @dialog(
        "Reject",
        permission="decide",
        question="Refuse this version for good?",
        consequence="The author reads your note and can only begin anew.",
        form=NoteForm,
    )
    def reject(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        template = self.template_of(object_id)
        note = form.cleaned_data["note"]
        act = partial(marketplace.reject_template, template=template, note=note, seen=seen(request))
        return self.answer(request, act, f"“{template.name}” is rejected.")


def seen(request: HttpRequest) -> str:
    return request.GET.get("seen", "")
