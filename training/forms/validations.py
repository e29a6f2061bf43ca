"""The shape of what people ask of a validation."""

from django import forms

from training import services as training
from training.models import Validation


class ValidationForm(forms.Form):
    """What to measure; services say whether it can be."""

    kind = forms.ChoiceField(
        label="Measure",
        choices=[
            (Validation.Kind.COMPREHENSIVE, "Everything, with a certificate"),
            (Validation.Kind.ACCURACY, "Accuracy: its answers to the test rows"),
            (Validation.Kind.PERFORMANCE, "Performance: latency, throughput, memory"),
            (Validation.Kind.ROBUSTNESS, "Robustness: noise, gaps, attacks"),
        ],
        required=False,
        initial=Validation.Kind.COMPREHENSIVE,
    )
    folds = forms.ChoiceField(
        label="Train again on other splits",
        choices=[("0", "no"), *((str(n), f"{n} times") for n in (3, 5, training.FOLDS_MAX))],
        required=False,
        initial="0",
    )

    def clean_kind(self) -> Validation.Kind:
        return Validation.Kind(self.cleaned_data["kind"] or Validation.Kind.COMPREHENSIVE)

    def clean_folds(self) -> int:
        return int(self.cleaned_data["folds"] or 0)
