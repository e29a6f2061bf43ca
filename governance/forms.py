"""The shape of what people say about keys and notices."""

from django import forms

from governance.models import NoticeType, Scope


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
