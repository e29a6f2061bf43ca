"""The shape of what people say of their data: a file, its names, and the schema of its columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms

from governance.services import Refusal
from training import services as training
from training.forms.bounds import BOUNDS
from training.models import DESCRIPTION_LENGTH_MAX, NAME_LENGTH_MAX, Dataset

SHOWN_MAX = 200  # columns in one form; a form has a bounded number of fields
LICENCE_CHOICES = [(name, name or "Not stated") for name in training.LICENCES]
KINDS = [(kind.value, kind.capitalize()) for kind in training.ColumnKind]
ROLES = [
    (training.ColumnRole.FEATURE.value, "Feature: what is known"),
    (training.ColumnRole.TARGET.value, "Target: what is asked"),
    (training.ColumnRole.TIME.value, "Time: the order of rows"),
    (training.ColumnRole.GROUP.value, "Group: rows that stay together"),
    (training.ColumnRole.IGNORED.value, "Ignored"),
]
FORMS = [
    (training.Form.TABLE.value, "A row of a table"),
    (training.Form.SERIES.value, "A window of a series"),
    (training.Form.TEXT.value, "A text"),
]
TOKENIZERS = [("words", "Words"), ("characters", "Characters")]
SPLITS = {
    training.SplitKind.RANDOM.value: "At random",
    training.SplitKind.STRATIFIED.value: "At random, each class in its share",
    training.SplitKind.TIME.value: "By time: the newest rows test",
    training.SplitKind.GROUP.value: "By group: a group is in one part only",
}
SHARES = {"train": (5, 95), "validation": (0, 90), "test": (1, 90)}  # percent
NUMBERS = ("window", "horizon", "season", "steps")  # of a recipe, by form
EXTRAS = {"series": ("window", "horizon", "season"), "text": ("tokenizer", "steps")}
COLUMN_PATH = re.compile(r"recipe\.columns\[(\d+)\]\.(kind|role|sensitive|missing)")


class TextsForm(forms.Form):
    name = forms.CharField(max_length=NAME_LENGTH_MAX)
    licence = forms.ChoiceField(
        choices=LICENCE_CHOICES, required=False, help_text="Who may use the data, and how."
    )
    description = forms.CharField(
        required=False, max_length=DESCRIPTION_LENGTH_MAX, widget=forms.Textarea(attrs={"rows": 3})
    )


class DeletionForm(forms.Form):
    """Asks for the name of what is about to be gone, so that no slip of a hand deletes it."""

    confirmation = forms.CharField(
        label="Its name, to confirm", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, dataset: Dataset, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"auto_id": "deletion_%s"})
        self.name = dataset.name

    def clean_confirmation(self) -> str:
        """As a page shows it: there, several spaces look like one."""
        typed: str = self.cleaned_data["confirmation"]
        if typed.split() != self.name.split():
            raise forms.ValidationError(f"“{typed}” is not its name; type “{self.name}”.")
        return typed


class UploadForm(TextsForm):
    field_order = ("file", "name", "licence", "description")

    name = forms.CharField(
        max_length=NAME_LENGTH_MAX, required=False, help_text="Left empty, it is the file's."
    )
    file = forms.FileField(
        allow_empty_file=True, widget=forms.FileInput, help_text="Choose one, or drop it here."
    )

    def __init__(self, *args: Any, caps: training.Caps, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].widget.attrs["data-bytes-max"] = caps.file_bytes


def blame(form: forms.Form, refusal: Refusal) -> None:
    """Show a refusal beside the field that it names, or above them all."""
    field, _, reason = str(refusal).partition(": ")
    form.add_error(*((field, reason) if field in form.fields else (None, str(refusal))))


class SchemaForm(forms.Form):
    """A line for each column, and the split. Columns that are not shown stay as they are.

    `columns` are shown as a worker filled them in, and sent as they were `asked` for, so that what
    it measured on some rows is measured anew when others train.
    """

    def __init__(self, *args: Any, dataset: Dataset, query: str = "", **kwargs: Any) -> None:
        self.dataset = dataset
        self.recipe: dict[str, Any] = dataset.recipe
        self.columns: list[dict[str, Any]] = self.recipe.get("columns", [])
        self.asked: dict[str, Any] = dataset.asked or dataset.recipe
        found = [at for at, column in enumerate(self.columns) if query in column["name"].lower()]
        self.shown, self.found = found[:SHOWN_MAX], len(found)
        super().__init__(*args, **kwargs)
        self.initial = self.known()
        self.add_form_fields()
        for at in self.shown:
            self.add_column_fields(at)
        self.add_usual_field()
        self.add_split_fields()

    def known(self) -> dict[str, Any]:
        """The schema as the values of the fields."""
        split = training.DEFAULT_SPLIT | self.dataset.split
        found: dict[str, Any] = {f"split_{key}": value for key, value in split.items()}
        for part in SHARES:
            found[f"split_{part}"] = f"{100 * split[part]:g}"
        found |= {key: self.recipe[key] for key in ("kind", *NUMBERS) if key in self.recipe}
        found["tokenizer"] = self.recipe.get("tokenizer", "words")
        found["usual"] = self.recipe.get("usual", "")
        for at in self.shown:
            column = self.columns[at]
            found |= {f"{key}_{at}": column[key] for key in ("kind", "role", "sensitive")}
            missing = self.asked["columns"][at]["missing"]
            found[f"missing_{at}"] = "" if missing is None else missing
        return found

    @property
    def may_change_form(self) -> bool:
        """Rows of a table may as well be steps of a series or texts; pictures are pictures."""
        return self.recipe.get("kind") in dict(FORMS)

    def add_form_fields(self) -> None:
        if not self.may_change_form:
            return
        self.fields["kind"] = forms.ChoiceField(
            label="A row is", choices=FORMS, widget=forms.RadioSelect
        )
        told = {
            "window": "Steps that a network sees at once.",
            "horizon": "Steps ahead that it foretells.",
            "season": "After how many steps the series repeats; 1 where it does not.",
            "steps": "Tokens of a text that are read; a longer one is cut.",
        }
        for name, text in told.items():
            self.fields[name] = forms.IntegerField(required=False, help_text=text)
        self.fields["tokenizer"] = forms.ChoiceField(
            label="Cut into", choices=TOKENIZERS, required=False
        )

    def add_column_fields(self, at: int) -> None:
        name, fill = self.columns[at]["name"], self.columns[at]["missing"]
        measured = "refuse" if fill is None else f"measured: {fill}"

        def labelled(what: str) -> dict[str, str]:
            return {"aria-label": f"{what} of {name}"}

        fields: dict[str, forms.Field] = {
            "kind": forms.ChoiceField(choices=KINDS, widget=forms.Select(attrs=labelled("Kind"))),
            "role": forms.ChoiceField(choices=ROLES, widget=forms.Select(attrs=labelled("Role"))),
            "missing": forms.CharField(
                required=False,
                max_length=80,
                widget=forms.TextInput(attrs=labelled("Missing value") | {"placeholder": measured}),
            ),
            "sensitive": forms.BooleanField(
                required=False, widget=forms.CheckboxInput(attrs=labelled("Sensitive"))
            ),
        }
        for key, field in fields.items():
            field.label = f"{key.capitalize()} of {name}"
            self.fields[f"{key}_{at}"] = field

    @property
    def target(self) -> dict[str, Any] | None:
        """The column whose values are the classes, where there is one."""
        found = (each for each in self.columns if each["role"] == "target" and each["values"])
        return next(found, None)

    def add_usual_field(self) -> None:
        if self.target is None:
            return
        classes = [(name, name) for name in self.target["values"]]
        self.fields["usual"] = forms.ChoiceField(
            label="Usual class",
            choices=[("", "None: it learns from all rows"), *classes],
            required=False,
            help_text="An autoencoder learns from rows of this class alone, and takes for an "
            "anomaly what it cannot give back.",
        )

    def add_split_fields(self) -> None:
        self.fields["split_kind"] = forms.ChoiceField(
            label="How", choices=list(SPLITS.items()), widget=forms.RadioSelect
        )
        for part, (least, most) in SHARES.items():
            self.fields[f"split_{part}"] = forms.FloatField(
                label=f"{part.capitalize()}, %",
                min_value=least,
                max_value=most,
                error_messages=BOUNDS,
            )
        self.fields["split_seed"] = forms.IntegerField(
            label="Seed",
            min_value=0,
            error_messages=BOUNDS,
            help_text="The same seed draws the same rows.",
        )
        names = [("", "None")] + [(column["name"], column["name"]) for column in self.columns]
        self.fields["split_column"] = forms.ChoiceField(
            label="Column",
            choices=names,
            required=False,
            help_text="Of the time or the group, where the split goes by one.",
        )

    # What the template shows

    def lines(self) -> Iterator[dict[str, Any]]:
        """A column with its fields."""
        for at in self.shown:
            keys = ("kind", "role", "missing", "sensitive")
            yield self.columns[at] | {"fields": {key: self[f"{key}_{at}"] for key in keys}}

    def named(self, names: Sequence[str]) -> list[forms.BoundField]:
        return [self[name] for name in names]

    def series_fields(self) -> list[forms.BoundField]:
        return self.named(EXTRAS["series"])

    def text_fields(self) -> list[forms.BoundField]:
        return self.named(EXTRAS["text"])

    def usual_field(self) -> forms.BoundField:
        return self["usual"]

    def share_fields(self) -> list[forms.BoundField]:
        return self.named(("split_train", "split_validation", "split_test"))

    # What it says, as the service reads it

    def schema(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The recipe and the split."""
        data = self.cleaned_data
        split = {key: data[f"split_{key}"] for key in ("kind", "seed", "column")}
        for part in SHARES:
            split[part] = round(data[f"split_{part}"] / 100, 6)
        recipe = self.asked | {"columns": [self.column(at) for at in range(len(self.columns))]}
        if self.may_change_form:
            extras = EXTRAS.get(data["kind"], ())
            recipe = {
                key: value
                for key, value in recipe.items()
                if key not in (*NUMBERS, "tokenizer", "vocabulary")
            }
            recipe |= {"kind": data["kind"]} | {key: data[key] for key in extras if data[key]}
        return recipe | self.usual(recipe["columns"]), split

    def usual(self, columns: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
        """The usual class, where another was chosen than the worker found, or one before; of a
        target that is not the one shown, what the worker finds.
        """
        targets = [(each["name"], each["kind"]) for each in columns if each["role"] == "target"]
        shown = self.target
        if shown is None or targets != [(shown["name"], shown["kind"])]:
            return {"usual": None}
        chosen = self.cleaned_data["usual"]
        is_found = chosen == self.recipe.get("usual", "")
        return {"usual": self.asked.get("usual") if is_found else chosen}

    def column(self, at: int) -> dict[str, Any]:
        """A column as it was corrected; values that were asked for stay while it is a category."""
        column: dict[str, Any] = self.asked["columns"][at]
        if at not in self.shown:
            return column
        kind, missing = self.cleaned_data[f"kind_{at}"], self.cleaned_data[f"missing_{at}"]
        return column | {
            "kind": kind,
            "role": self.cleaned_data[f"role_{at}"],
            "sensitive": self.cleaned_data[f"sensitive_{at}"],
            "values": column["values"] if kind == column["kind"] else [],
            "missing": missing if missing else None,
        }

    def show_faults(self, faults: Sequence[Mapping[str, str]]) -> None:
        """Show each fault of the schema beside its field."""
        for fault in faults:
            path, reason = fault["field"], fault["reason"]
            if match := COLUMN_PATH.fullmatch(path):
                name = f"{match[2]}_{match[1]}"
            else:
                name = path.removeprefix("recipe.").replace("split.", "split_")
            if name in self.fields:
                self.add_error(name, reason)
            else:
                whole = name.replace("_", " ").capitalize()  # such as all columns together
                self.add_error(None, f"{whole}: {reason}.")
