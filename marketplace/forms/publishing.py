"""The shape of what people type when they publish, one form for each step."""

import json
from typing import Any

from django import forms

from billing import services as billing
from governance.services import Refusal
from marketplace import services as marketplace
from marketplace.models import (
    CHANGELOG_LENGTH_MAX,
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    SUMMARY_LENGTH_MAX,
    Plan,
    TemplateVersion,
)
from marketplace.services import MONTHLY_CALLS_MAX
from training import services as training
from training.models import Card, Category, Licence

CALLS_MAX = 1_000_000_000
# The live preview; what is typed is stored only once the field is left.
SHOWN_WHILE_TYPED = {
    "hx-post": "",
    "hx-trigger": "input changed delay:400ms",
    "hx-vals": '{"action": "look"}',
}
CARD_TEXTS = ("intended_use", "limits", "ethics")


def blame(form: forms.Form, refusal: Refusal, **renamed: str) -> None:
    """Show a refusal beside the field that it names, or above them all."""
    named, _, reason = str(refusal).partition(": ")
    field = renamed.get(named, named)
    form.add_error(*((field, reason) if field in form.fields else (None, str(refusal))))


class LaterField(forms.CharField):
    """May be left empty in a draft, but not when that is submitted."""

    def validate(self, value: str) -> None:
        pass


class LaterChoice(forms.ChoiceField):
    """The same, of some choices."""

    def validate(self, value: str) -> None:
        if value:
            super().validate(value)


def text(label: str, help_text: str, *, rows: int = 3) -> forms.CharField:
    return LaterField(
        label=label,
        max_length=training.CARD_TEXT_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": rows}),
        help_text=help_text,
    )


class CardForm(forms.Form):
    """What its page says in its author's words. A draft may leave open all but its name."""

    use_required_attribute = False
    name = forms.CharField(
        max_length=NAME_LENGTH_MAX, help_text="What people see in the catalogue."
    )
    summary = forms.CharField(
        max_length=SUMMARY_LENGTH_MAX,
        required=False,
        help_text="One sentence for the list of results.",
    )
    category = forms.ChoiceField(choices=Category.choices)
    description = LaterField(
        max_length=DESCRIPTION_LENGTH_MAX,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12} | SHOWN_WHILE_TYPED),
        help_text="What it is for, what it was trained on, where it fails. Markdown.",
    )
    intended_use = text("Intended use", "What it is for, and for whom.")
    limits = text("Limits", "Where it fails, or was never tried.")
    ethics = text(
        "Ethical considerations",
        "Whom its answers could harm, and what you did about it. If nobody, say why.",
    )

    def __init__(self, data: Any = None, *, version: TemplateVersion, card: Card) -> None:
        said = {name: getattr(card, name) for name in CARD_TEXTS}
        super().__init__(data, initial={**version.words, **said})

    @property
    def typed(self) -> dict[str, str]:
        """As it stands in the fields, right or not."""
        return {name: str(self[name].value() or "") for name in self.fields}


class FilesForm(forms.Form):
    """Under which licence people get which files, and what they may try it with."""

    use_required_attribute = False
    licence = LaterChoice(
        choices=[("", "Not chosen yet"), *Licence.choices],
        help_text="Under which terms others may use it. It is fixed once you submit.",
    )
    licence_terms = text("Terms", "Under which others may use it.")
    offered = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    rows = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    typed = forms.CharField(
        label="Other examples",
        required=False,
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "code", "spellcheck": "false"}),
        help_text="One on each line, in JSON, as you would send it as <code>input_data</code>. "
        "Each is asked when it is saved.",
    )

    def __init__(
        self,
        data: Any = None,
        *,
        version: TemplateVersion,
        card: Card,
        files: list[training.ModelFile],
        tested: list[training.Tested],
    ) -> None:
        questions = {str(row.number): row.question for row in tested}
        other = [one for one in version.examples if one not in questions.values()]
        initial = {
            "licence": card.licence,
            "licence_terms": card.licence_terms,
            "offered": version.files,
            "rows": [number for number, one in questions.items() if one in version.examples],
            "typed": "\n".join(json.dumps(one, ensure_ascii=False) for one in other),
        }
        super().__init__(data, initial=initial)
        self.questions = questions
        self.choose("offered", [(file.kind, file.label) for file in files])
        self.choose("rows", [(number, f"Row {number}") for number in questions])
        if card.licence_fixed_at is not None:
            for name in ("licence", "licence_terms"):
                self.fields[name].disabled = True
                self.fields[name].help_text = "Fixed, since the model was submitted with it."

    def choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = choices

    def clean_typed(self) -> list[Any]:
        """One question a line."""
        found = []
        for number, line in enumerate(self.cleaned_data["typed"].splitlines(), start=1):
            if line.strip():
                try:
                    found.append(json.loads(line))
                except ValueError as error:
                    raise forms.ValidationError(
                        f"Line {number} is no JSON: {error}. A text stands between double quotes."
                    ) from error
        return found

    @property
    def examples(self) -> list[Any]:
        rows = [self.questions[number] for number in self.cleaned_data["rows"]]
        return [*rows, *self.cleaned_data["typed"]]


def credits_field(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        min_value=0,
        max_digits=13,
        decimal_places=6,
        help_text=help_text,
    )


class PriceForm(forms.Form):
    plan = forms.ChoiceField(
        choices=[
            (Plan.FREE, "Free: nothing once"),
            (Plan.STANDARD, "Standard: a price once"),
            (Plan.PREMIUM, "Premium: a price once, for what is worth more"),
            (Plan.CUSTOM, "Custom: as you like"),
        ],
        widget=forms.RadioSelect,
    )
    price = credits_field(
        "Price, once", "Credits, for the right to deploy it and to have its files."
    )
    call_price = credits_field(
        "Price per prediction", "Credits; 0 asks for no more than the compute, which is 0.0001."
    )
    monthly_calls = forms.IntegerField(
        label="Predictions included each month",
        min_value=0,
        max_value=MONTHLY_CALLS_MAX,
        help_text="For each buyer, before the price per prediction begins.",
    )
    calls = forms.IntegerField(
        label="A buyer who predicts so often each month",
        min_value=0,
        max_value=CALLS_MAX,
        required=False,
        help_text="To work out the totals beside; it is not stored.",
    )

    def __init__(self, data: Any = None, *, version: TemplateVersion) -> None:
        initial = {
            "plan": version.plan,
            "price": billing.credits(version.price_microcredits),
            "call_price": billing.credits(version.call_price_microcredits),
            "monthly_calls": version.monthly_calls,
            "calls": marketplace.CALLS_SHOWN,
        }
        super().__init__(data, initial=initial)

    @property
    def terms(self) -> dict[str, Any]:
        """As the service takes them; of the free plan there is no price to forget."""
        said = self.cleaned_data
        return {
            "plan": Plan(said["plan"]),
            "price_microcredits": billing.microcredits(said["price"]),
            "call_price_microcredits": billing.microcredits(said["call_price"]),
            "monthly_calls": said["monthly_calls"],
        }

    def clean_calls(self) -> int:
        calls = self.cleaned_data["calls"]
        return marketplace.CALLS_SHOWN if calls is None else int(calls)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("plan") == Plan.FREE and self.cleaned_data.get("price"):
            self.add_error("price", "A template of the free plan costs 0.")
        return cleaned


class SubmitForm(forms.Form):
    changelog = forms.CharField(
        label="What is new",
        max_length=CHANGELOG_LENGTH_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="For who has the version before, and for reviewers. Markdown.",
    )
    publishes_at_once = forms.TypedChoiceField(
        label="When it is approved",
        choices=[("yes", "Publish it at once"), ("no", "Wait until I say so")],
        coerce=lambda said: said == "yes",
        widget=forms.RadioSelect,
    )

    def __init__(self, data: Any = None, *, version: TemplateVersion) -> None:
        at_once = "yes" if version.publishes_at_once else "no"
        super().__init__(
            data, initial={"changelog": version.changelog, "publishes_at_once": at_once}
        )
        if version.number == 1:
            del self.fields["changelog"]


class NewVersionForm(forms.Form):
    changelog = forms.CharField(
        label="What is new",
        max_length=CHANGELOG_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="For who has the version before, and for reviewers. Markdown.",
    )
