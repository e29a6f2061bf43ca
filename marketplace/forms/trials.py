"""The shape of what an author says of free tries."""

from django import forms

from marketplace.models import TRIES_MAX


class TriesForm(forms.Form):
    daily_tries = forms.IntegerField(min_value=0, max_value=TRIES_MAX)
