"""The shape of what people type about keys."""

from django import forms

from governance.models import Scope


class ApiKeyForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="Where you will use it, such as “laptop”.")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.MODELS_READ, Scope.PREDICT],
        label="What it may do",
    )
