"""The shape of what people type when they publish."""

from decimal import Decimal
from typing import Any

from django import forms

from marketplace.models import DESCRIPTION_LENGTH_MAX, Plan
from training.models import Category


class PublishForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="What people see in the catalogue.")
    summary = forms.CharField(
        max_length=160, required=False, help_text="One sentence for the card."
    )
    description = forms.CharField(
        max_length=DESCRIPTION_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text="What it is for, what it was trained on, where it fails. Markdown.",
    )
    category = forms.ChoiceField(choices=Category.choices)
    plan = forms.ChoiceField(choices=Plan.choices, initial=Plan.STANDARD)
    price = forms.DecimalField(
        min_value=0,
        max_digits=13,
        decimal_places=6,
        initial=15,
        label="Price",
        help_text="Credits, once. You receive 70 %.",
    )
    call_price = forms.DecimalField(
        min_value=0,
        max_digits=13,
        decimal_places=6,
        initial=Decimal("0.001"),
        label="Price per prediction",
        help_text="Credits. You receive 70 %; it includes the compute.",
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("plan") == Plan.FREE and self.cleaned_data.get("price"):
            self.add_error("price", "A template of the free plan costs 0.")
        return cleaned
