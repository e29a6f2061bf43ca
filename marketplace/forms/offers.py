"""The shape of what people ask a template's page."""

from django import forms

CALLS = 1_000  # a month, until somebody says otherwise


class PressedForm(forms.Form):
    """A button that costs something says which version it stood beside."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class OfferForm(forms.Form):
    """The page's address is its state; what does not fit is left out."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    calls = forms.IntegerField(min_value=0, max_value=1_000_000_000, required=False)
