"""The shape of what people type about clusters."""

from typing import Any

from django import forms

from clusters.models import Node
from clusters.services import WORKS
from governance.models import User
from training import services as training
from training.models import NAME_LENGTH_MAX, Dataset, Tier

WORKERS_MAX = 16


class ClusterForm(forms.Form):
    name = forms.CharField(max_length=NAME_LENGTH_MAX, help_text="How you will find it again.")
    workers = forms.IntegerField(
        min_value=1,
        max_value=WORKERS_MAX,
        initial=3,
        help_text=f"1 to {WORKERS_MAX} nodes that train; the centre of the star and a validator "
        "come with them.",
    )
    wasm_optimization = forms.BooleanField(
        label="SIMD kernels",
        required=False,
        initial=True,
        help_text="Without them nodes are slower and come to the same bits.",
    )


class NodeForm(forms.Form):
    role = forms.TypedChoiceField(
        choices=[(role.value, role.label) for role in WORKS["role"]], coerce=Node.Role
    )


class DatasetChoice(forms.ModelChoiceField[Dataset]):
    def label_from_instance(self, obj: Dataset) -> str:
        return obj.told_apart


class TrainForm(forms.Form):
    """A network and how its training is divided; `config` is what services take."""

    dataset = DatasetChoice(queryset=Dataset.objects.none(), to_field_name="slug", empty_label=None)
    tier = forms.ChoiceField(choices=Tier.choices, initial=Tier.NANO)
    hidden_units = forms.IntegerField(min_value=1, max_value=65_536, initial=128)
    epochs = forms.IntegerField(min_value=1, max_value=1_000, initial=20)
    local_epochs = forms.IntegerField(
        min_value=1,
        initial=1,
        help_text="Passes over its rows that a worker takes in a round; must divide the epochs. "
        "More of them means fewer bytes and nodes that drift further apart.",
    )
    batch_size = forms.IntegerField(min_value=1, max_value=512, initial=32)
    learning_rate = forms.FloatField(min_value=0.00001, max_value=1, initial=0.005)
    optimizer = forms.ChoiceField(choices=[("adam", "Adam"), ("sgd", "SGD")])
    seed = forms.IntegerField(
        min_value=0,
        max_value=training.SEED_MAX,
        initial=0,
        help_text="The same seed gives the same weights, to the bit.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["dataset"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Dataset.objects.visible_to(user).ready().with_namesakes()

    @property
    def config(self) -> dict[str, Any]:
        params = {"size": self.cleaned_data["hidden_units"], "activation": "relu"}
        names = ("epochs", "batch_size", "learning_rate", "optimizer")
        return {
            "architecture": {
                "type": "feedforward",
                "layers": [{"type": "hidden", "params": params}],
            },
            "training": {name: self.cleaned_data[name] for name in names},
        }
