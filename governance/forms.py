"""The shape of what people say about keys, notices and webhooks."""

from django import forms

from governance.models import NoticeType, Scope
from governance.models.webhooks import URL_LENGTH_MAX


class ApiKeyForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="Where you will use it, such as “laptop”.")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.MODELS_READ, Scope.PREDICT],
        label="What it may do",
    )


class NoticesForm(forms.Form):
    types = forms.MultipleChoiceField(
        choices=NoticeType.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label="By e-mail, too",
    )


class WebhookForm(forms.Form):
    url = forms.CharField(
        max_length=URL_LENGTH_MAX,
        label="Address",
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hook"}),
        help_text="Your server answers with a status from 200 to 299 within 15 seconds.",
    )
    description = forms.CharField(
        max_length=120, required=False, help_text="What it is for, such as “retrain at night”."
    )
    types = forms.MultipleChoiceField(
        choices=NoticeType.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label="What to tell",
        help_text="None means all of it, also what is added later.",
    )
