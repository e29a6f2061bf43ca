"""What the dialogs of the moderators' desk ask."""

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from marketplace import services as marketplace
from marketplace.models import Feature
from marketplace.models.features import FEATURE_REASON_LENGTH_MAX


class ApproveForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    note = forms.CharField(
        required=False, label="Note to the author", widget=UnfoldAdminTextareaWidget
    )


class NoteForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    note = forms.CharField(label="What the author should mend", widget=UnfoldAdminTextareaWidget)


class WordsForm(BaseDialogForm):  # type: ignore[misc]  # unfold ships no types
    reason = forms.CharField(
        max_length=FEATURE_REASON_LENGTH_MAX,
        label="Why, as everybody reads it",
        widget=UnfoldAdminTextareaWidget,
    )
    place = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=marketplace.PLACE_MAX,
        label="Place; the least stands first",
        widget=UnfoldAdminIntegerFieldWidget,
    )


class ChangeFeatureForm(WordsForm):
    """Begins with what is said now."""

    def __init__(self, request: HttpRequest, object_id: str = "", **given: Any) -> None:
        now = Feature.objects.filter(pk=object_id).values("reason", "place").first()
        super().__init__(request, object_id, initial=now, **given)


class FeatureForm(WordsForm):
    from_at = forms.DateTimeField(
        required=False,
        label="From (UTC), or at once",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )
    until_at = forms.DateTimeField(
        required=False,
        label="Until (UTC), or until somebody ends it",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )


def said(form: forms.Form) -> dict[str, Any]:
    """What a dialog asked, without the mark that unfold puts beside it."""
    return {name: value for name, value in form.cleaned_data.items() if name[0] != "_"}
