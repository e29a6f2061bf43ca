"""The shape of what a model's owner says of it, and of a name typed to confirm."""

from typing import Any

from django import forms

from training import services as training
from training.models import Card, Licence

FIELDS = ("licence", "licence_terms", "intended_use", "limits", "ethics")


def text(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=training.CARD_TEXT_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=help_text,
    )


class CardForm(forms.Form):
    """What stands in a model's card besides what was measured. All may wait until it is sold."""

    licence = forms.ChoiceField(
        choices=[("", "Not chosen yet"), *Licence.choices],
        required=False,
        help_text="Under which terms others may use it. It is fixed once you publish.",
    )
    licence_terms = text("Terms", "Only where the licence is “other”.")
    intended_use = text("Intended use", "What it is for, and for whom.")
    limits = text("Limits", "Where it fails, or was never tried.")
    ethics = text(
        "Ethical considerations",
        "Whom its answers could harm, and what you did about it. If nobody, say why.",
    )

    def __init__(self, data: Any = None, *, card: Card) -> None:
        super().__init__(data, initial={name: getattr(card, name) for name in FIELDS})
        if card.licence_fixed_at is not None:
            for name in ("licence", "licence_terms"):
                self.fields[name].disabled = True
                self.fields[name].help_text = "Fixed, since the model was published with it."
