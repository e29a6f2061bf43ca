"""The shape of what a peer says of a version."""

from typing import Any

from django import forms

from marketplace.models import PeerReview
from marketplace.models.peer_reviews import PEER_TEXT_LENGTH_MAX, Answer, Check


class PeerReviewForm(forms.Form):
    """A question for each check, then a recommendation with its reasons."""

    def __init__(self, data: Any = None, *, review: PeerReview | None = None) -> None:
        initial: dict[str, Any] = {}
        if review is not None:
            initial = {"recommendation": review.recommendation, "text": review.text}
            initial |= review.answers
        super().__init__(data, initial=initial)
        for check in Check:
            self.fields[check.value] = forms.ChoiceField(
                label=check.label, choices=Answer.choices, widget=forms.RadioSelect
            )
        self.fields["recommendation"] = forms.ChoiceField(
            choices=PeerReview.Recommendation.choices,
            widget=forms.RadioSelect,
            label="What you recommend to the moderator",
        )
        self.fields["text"] = forms.CharField(
            label="Why",
            max_length=PEER_TEXT_LENGTH_MAX,
            widget=forms.Textarea(attrs={"rows": 6}),
            help_text="What you looked at, what convinced you, what should be mended. "
            "The author reads it under your name once it is decided.",
        )

    @property
    def answers(self) -> dict[str, str]:
        return {check.value: self.cleaned_data[check.value] for check in Check}
