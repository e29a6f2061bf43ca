"""The shape of what people ask the catalogue."""

from django import forms

LENGTH_MAX = 2_000


class CatalogueForm(forms.Form):
    """The catalogue's address is its state; what does not fit is left out."""

    q = forms.CharField(max_length=LENGTH_MAX, required=False)
    sort = forms.CharField(max_length=20, required=False)
    cursor = forms.CharField(max_length=400, required=False)
    exact = forms.BooleanField(required=False)
