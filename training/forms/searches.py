"""The shape of what people type about searches."""

import json
from decimal import Decimal
from typing import Any

from django import forms

from billing import services as billing
from billing.models import MICROCREDITS
from training import services as training
from training.forms.bounds import BOUNDS
from training.models import NAME_LENGTH_MAX, Search


class SearchForm(forms.Form):
    """A search around a job; `training.services` says what is wrong inside its space."""

    name = forms.CharField(
        max_length=NAME_LENGTH_MAX, required=False, help_text="How you will find it again."
    )
    space = forms.CharField(
        label="What varies",
        widget=forms.Textarea(attrs={"rows": 9, "spellcheck": "false", "class": "code"}),
        help_text="Paths of the configuration, each with low and high (and log or step), or with "
        "choices, as JSON. Two whole ends mean whole numbers; layers are counted from 0.",
    )
    sampler = forms.ChoiceField(
        choices=Search.Sampler.choices,
        help_text="The estimator learns from the trials before; halving tries many shortly and "
        "trains the best third three times as long, again and again.",
    )
    objective = forms.ChoiceField(label="Choose the best by", choices=Search.Objective.choices)
    trials_max = forms.IntegerField(
        label="Trials at most",
        min_value=1,
        max_value=training.TRIALS_MAX,
        error_messages=BOUNDS,
    )
    budget = forms.DecimalField(
        label="Budget in credits",
        min_value=Decimal("0.000001"),
        max_value=Decimal(10**9),
        max_digits=16,
        decimal_places=6,
        error_messages={  # without the value, which a Decimal would write as 1E-7
            "min_value": "A budget is at least %(limit_value)s credits.",
            "max_value": "A budget is at most %(limit_value)s credits.",
        },
        help_text="Each trial is held when it starts. The search stops before the one that could "
        "pass this.",
    )
    seed = forms.IntegerField(
        min_value=0,
        max_value=training.SEED_MAX,
        error_messages=BOUNDS,
        help_text="The same seed tries the same settings in the same order.",
    )

    def clean_space(self) -> Any:
        try:
            return json.loads(self.cleaned_data["space"])
        except json.JSONDecodeError as error:
            message = f"line {error.lineno}, column {error.colno}: {error.msg}; this must be JSON."
            raise forms.ValidationError(message) from error
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from error  # a number of too many digits
        except RecursionError as error:
            raise forms.ValidationError("This is nested too deeply.") from error

    @property
    def unscaled(self) -> str:
        """Why nobody can say yet what the search would try."""
        names = [name for name in ("sampler", "trials_max") if name in self.errors]
        return " ".join(f"{self[name].label}: {self.errors[name][0]}" for name in names)

    @property
    def wanted(self) -> dict[str, Any]:
        """What the service is asked for, of a form without mistakes."""
        data = dict(self.cleaned_data)
        budget = data.pop("budget")
        return data | {
            "budget_microcredits": billing.microcredits(budget),
            "sampler": Search.Sampler(data["sampler"]),
            "objective": Search.Objective(data["objective"]),
        }


def typed(proposal: training.Proposal) -> dict[str, object]:
    """A proposal as a person would have typed it: a line for each setting."""
    lines = [f"  {json.dumps(path)}: {json.dumps(given)}" for path, given in proposal.space.items()]
    return {
        "name": proposal.name,
        "space": "{\n" + ",\n".join(lines) + "\n}",
        "sampler": Search.Sampler.TPE,
        "objective": Search.Objective.LOSS,
        "trials_max": proposal.trials_max,
        "budget": proposal.budget_microcredits // MICROCREDITS,
        "seed": proposal.seed,
    }
