"""The shape of what people type about jobs."""

import json
from typing import Any

from django import forms

from governance.models import User
from training import services as training
from training.models import Dataset, Tier


class DatasetChoice(forms.ModelChoiceField[Dataset]):
    def label_from_instance(self, obj: Dataset) -> str:
        return f"{obj.name} ({obj.rows:,} rows)"


class JobForm(forms.Form):
    """A job as its JSON; `training.services` says what is wrong inside it."""

    name = forms.CharField(max_length=120, required=False, help_text="How you will find it again.")
    dataset = DatasetChoice(queryset=Dataset.objects.none(), to_field_name="slug", empty_label=None)
    tier = forms.ChoiceField(choices=Tier.choices, initial=Tier.NANO)
    seed = forms.IntegerField(
        min_value=0,
        max_value=training.SEED_MAX,
        initial=0,
        help_text="The same seed gives the same weights, to the bit.",
    )
    config = forms.CharField(
        label="Configuration",
        widget=forms.Textarea(attrs={"rows": 22, "spellcheck": "false", "class": "code"}),
        initial=json.dumps(training.PRESETS["digits"], indent=2),
        help_text="architecture, training and divergent, as JSON.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["dataset"]
        assert isinstance(field, DatasetChoice)
        field.queryset = Dataset.objects.visible_to(user).ready()

    def clean_config(self) -> Any:
        text = self.cleaned_data["config"]
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            message = f"line {error.lineno}, column {error.colno}: {error.msg}; this must be JSON."
            raise forms.ValidationError(message) from error
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from error  # a number of too many digits
        except RecursionError as error:
            raise forms.ValidationError("This is nested too deeply.") from error
