"""The shape of what people type about jobs."""

from typing import Any

from django import forms

from governance.models import User
from training import services as training
from training.forms.bounds import BOUNDS
from training.models import NAME_LENGTH_MAX, Dataset, Tier


class DatasetChoice(forms.ModelChoiceField[Dataset]):
    def label_from_instance(self, obj: Dataset) -> str:
        return f"{obj.told_apart} ({obj.rows:,} rows)" if obj.rows else obj.told_apart


class JobForm(forms.Form):
    """What a job is besides its network."""

    name = forms.CharField(
        max_length=NAME_LENGTH_MAX,
        required=False,
        help_text="How you will find the job and its model again.",
    )
    dataset = DatasetChoice(
        queryset=Dataset.objects.none(),
        to_field_name="slug",
        empty_label=None,
        error_messages={
            "invalid_choice": "There are no such data, or they are being read; their page says "
            "how far they are."
        },
    )
    seed = forms.IntegerField(
        min_value=0,
        max_value=training.SEED_MAX,
        initial=0,
        error_messages=BOUNDS,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="The same seed gives the same weights, to the bit.",
    )
    tier = forms.ChoiceField(choices=Tier.choices, initial=Tier.NANO)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["dataset"]
        assert isinstance(field, DatasetChoice)
        field.queryset = Dataset.objects.visible_to(user).ready().with_namesakes()
