"""The shape of what people type about their collections."""

from django import forms

from marketplace.models.collections import NOTE_LENGTH_MAX


class CollectionForm(forms.Form):
    name = forms.CharField(max_length=80)
    description = forms.CharField(
        max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    is_public = forms.BooleanField(
        required=False, label="Everybody may see it", help_text="Else only you do."
    )


class CollectForm(forms.Form):
    """A template goes into an existing collection, or a new one that gets a name."""

    collection = forms.UUIDField(required=False)
    name = forms.CharField(max_length=80, required=False)
    note = forms.CharField(max_length=NOTE_LENGTH_MAX, required=False)

    def clean(self) -> None:
        super().clean()
        if not self.errors and not (
            self.cleaned_data.get("collection") or self.cleaned_data.get("name", "").strip()
        ):
            self.add_error("name", "Choose a collection, or give a new one a name.")
