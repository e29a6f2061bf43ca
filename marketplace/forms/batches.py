"""The shape of what people say of a batch: who answers which file, and in which format."""

from typing import Any

from django import forms

from marketplace.models import Batch, Deployment
from training import services as training


class BatchForm(forms.Form):
    deployment = forms.ChoiceField(label="Who answers")
    file = forms.FileField(
        label="File of rows",
        allow_empty_file=True,
        widget=forms.FileInput,
        help_text=f"{training.ASKED_FORMATS_NAMED}. Choose one, or drop it here.",
    )
    result_format = forms.ChoiceField(choices=Batch.Format, label="Answers as")

    def __init__(self, *args: Any, deployments: list[Deployment], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deployments = {str(each.pk): each for each in deployments}
        choices = [
            (key, f"{each.name}, version {each.version.number}")
            for key, each in self.deployments.items()
        ]
        self.fields["deployment"].choices = choices  # type: ignore[attr-defined]  # a choice field

    def clean_deployment(self) -> Deployment:
        return self.deployments[self.cleaned_data["deployment"]]
