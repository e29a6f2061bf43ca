"""The shape of what people type about deployments."""

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet

from marketplace.models import (
    BATCH_LIMIT_MAX,
    DEPLOYMENT_NAME_LENGTH_MAX,
    TIMEOUT_MS_MAX,
    Deployment,
    TemplateVersion,
)
from training.models import Dataset


class SettingsForm(forms.Form):
    name = forms.CharField(max_length=DEPLOYMENT_NAME_LENGTH_MAX)
    follows = forms.ChoiceField(
        choices=Deployment.Follows,
        label="When the author publishes a version",
        widget=forms.RadioSelect,
        help_text="It is followed where a call costs no more and the input is the same.",
    )
    aggregation = forms.ChoiceField(
        choices=Deployment.Aggregation,
        required=False,
        label="Who answers",
        help_text="Where several answer each call, a row costs the sum.",
    )
    batch_limit = forms.IntegerField(
        min_value=1, max_value=BATCH_LIMIT_MAX, label="Rows a call, at most"
    )
    timeout_ms = forms.IntegerField(
        min_value=1, max_value=TIMEOUT_MS_MAX, label="Milliseconds a call, at most"
    )
    spend_cap = forms.DecimalField(
        min_value=0,
        max_digits=13,
        decimal_places=6,
        required=False,
        label="Credits, at most",
        help_text="A call that would cost more is refused. Empty for no cap.",
    )
    spend_period = forms.ChoiceField(choices=Deployment.SpendPeriod, label="Counted")

    def changes(self) -> dict[str, Any]:
        """By the names of `custom_config`."""
        data = dict(self.cleaned_data)
        cap: Decimal | None = data["spend_cap"]
        return data | {"spend_cap": None if cap is None else float(cap)}


class CanaryForm(forms.Form):
    version = forms.TypedChoiceField(coerce=int)
    share = forms.IntegerField(
        min_value=1, max_value=99, initial=10, label="Share of the calls, in percent"
    )

    def __init__(self, *args: Any, versions: list[TemplateVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(each.number, f"Version {each.number}") for each in versions]
        self.fields["version"].choices = choices  # type: ignore[attr-defined]  # a choice field


class InputsForm(forms.Form):
    hours = forms.TypedChoiceField(
        coerce=int,
        choices=[(0, "Off"), (1, "For 1 hour"), (6, "For 6 hours"), (24, "For 24 hours")],
        label="Keep what is asked",
    )


class DeployForm(forms.Form):
    """How templates are deployed; without datasets there is nothing to say."""

    dataset = forms.ChoiceField(
        required=False,
        label="Train it further on",
        help_text="A job trains its weights on these data first; then it answers.",
    )
    epochs = forms.IntegerField(min_value=1, max_value=100_000, required=False)
    learning_rate = forms.FloatField(min_value=1e-9, max_value=10, required=False)

    def __init__(self, *args: Any, datasets: QuerySet[Dataset] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if datasets is None:
            self.fields = {}
            return
        choices = [("", "Nothing: deploy it as it is"), *((d.slug, d.name) for d in datasets)]
        self.fields["dataset"].choices = choices  # type: ignore[attr-defined]  # a choice field

    def config(self) -> dict[str, Any]:
        """By the names of `custom_config`."""
        stated = {name: value for name, value in self.cleaned_data.items() if value}
        return {"fine_tune": stated} if stated.get("dataset") else {}
