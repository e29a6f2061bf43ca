"""The shape of what people type about the searches that they save."""

from django import forms

from marketplace.forms.catalogue import LENGTH_MAX


class SaveSearchForm(forms.Form):
    """The state of the catalogue's address, and a name for it."""

    q = forms.CharField(max_length=LENGTH_MAX, required=False, widget=forms.HiddenInput)
    sort = forms.CharField(max_length=20, required=False, widget=forms.HiddenInput)
    exact = forms.BooleanField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(
        max_length=80, required=False, help_text="Left empty, it is called by what it asks."
    )
    alerts = forms.BooleanField(required=False, label="Tell me when it finds something new")


class SavedSearchForm(forms.Form):
    name = forms.CharField(max_length=80)
    alerts = forms.BooleanField(required=False, label="Tell me when it finds something new")
