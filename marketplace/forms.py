"""The shape of what people type when they publish, browse and predict."""

import base64
import json
from collections.abc import Sequence
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


class PredictForm(forms.Form):
    """What may be asked of a deployment: a row of the test data by number, a drawing, a picture, a
    row as it is written, a text to go on from, or how many samples.
    """

    row = forms.IntegerField(min_value=0, required=False)
    pixels = forms.CharField(max_length=100_000, required=False)
    picture = forms.FileField(
        required=False,
        help_text="PNG, JPEG, GIF, BMP, WebP or PPM, at most 2.5 MB. It is turned upright and "
        "brought to the size of the pictures that the network was trained on.",
    )
    values = forms.CharField(
        label="Row",
        max_length=200_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "code", "spellcheck": "false"}),
        help_text="By name, as JSON, or numbers separated by commas.",
    )
    text = forms.CharField(
        max_length=20_000,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    length = forms.IntegerField(
        min_value=1, required=False, help_text="How many tokens to write, at most 400."
    )
    temperature = forms.FloatField(
        min_value=0,
        required=False,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        help_text="0 always takes the likeliest; above 1 it gets wilder.",
    )
    count = forms.IntegerField(label="Samples", min_value=1, max_value=100, required=False)
    seed = forms.IntegerField(
        min_value=0, required=False, help_text="The same seed, the same answer."
    )

    def ask_for(self, names: Sequence[str]) -> None:
        """What a page shows must be filled; what is posted may be something else."""
        for name in names:
            self.fields[name].required = True

    def question(self) -> object:
        """What to ask, as the API takes it; None where a row of the test data is meant."""
        asked = self.cleaned_data
        if asked.get("text"):
            names = ("text", "length", "temperature", "seed")
            stated = {name: asked[name] for name in names if asked.get(name) is not None}
            return stated if len(stated) > 1 else asked["text"]
        if asked.get("count"):
            return {"count": asked["count"], "seed": asked.get("seed") or 0}
        if asked.get("picture"):
            return base64.b64encode(asked["picture"].read()).decode()
        return asked.get("written")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        written = (cleaned.get("pixels") or cleaned.get("values") or "").strip()
        if written:
            cleaned["written"] = read_row(written)
        elif cleaned.get("row") is None and not any(map(cleaned.get, ("text", "count", "picture"))):
            raise forms.ValidationError("Draw something, pick a row, or type the values first.")
        return cleaned


def read_row(written: str) -> object:
    """A row as JSON, or as numbers separated by commas. Raises ValidationError."""
    if written[0] in '[{"':
        try:
            return json.loads(written)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"values: is no JSON: {error}.") from error
    try:
        return [float(number) for number in written.split(",")]
    except ValueError as error:
        raise forms.ValidationError(f"values: {error}; write numbers with commas.") from error
