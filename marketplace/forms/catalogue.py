"""The shape of what people ask the catalogue."""

from django import forms

from training.models import Category


class CatalogueForm(forms.Form):
    """The catalogue's address is its state; what does not fit is left out."""

    SORTS = [
        ("newest", "Newest"),
        ("accuracy", "Most accurate"),
        ("fastest", "Fastest"),
        ("price", "Cheapest"),
    ]

    q = forms.CharField(max_length=100, required=False)
    category = forms.ChoiceField(choices=[("", "All"), *Category.choices], required=False)
    sort = forms.ChoiceField(choices=SORTS, required=False)
