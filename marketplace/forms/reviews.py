"""The shape of what people type about a template: stars and words, replies, posts."""

from django import forms

from marketplace.models import Thread
from marketplace.models.discussions import POST_LENGTH_MAX, TITLE_LENGTH_MAX
from marketplace.models.reviews import REPLY_LENGTH_MAX, REVIEW_LENGTH_MAX

STARS = [
    ("5", "5 stars: excellent"),
    ("4", "4 stars: good"),
    ("3", "3 stars: usable"),
    ("2", "2 stars: poor"),
    ("1", "1 star: does not work"),
]


class ReviewForm(forms.Form):
    rating = forms.TypedChoiceField(
        coerce=int, choices=STARS, widget=forms.RadioSelect, label="How is it?"
    )
    text = forms.CharField(
        max_length=REVIEW_LENGTH_MAX,
        required=False,
        label="In your words",
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What you used it for, what it got right, where it failed.",
    )


class ReplyForm(forms.Form):
    text = forms.CharField(
        max_length=REPLY_LENGTH_MAX,
        required=False,
        label="Your reply",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Everybody reads it. Leave it empty to take it back.",
    )


class ThreadForm(forms.Form):
    kind = forms.ChoiceField(
        choices=Thread.Kind.choices, initial=Thread.Kind.QUESTION, label="What is it?"
    )
    title = forms.CharField(max_length=TITLE_LENGTH_MAX, help_text="In one line.")
    text = forms.CharField(
        max_length=POST_LENGTH_MAX, widget=forms.Textarea(attrs={"rows": 6}), help_text="Markdown."
    )


class PostForm(forms.Form):
    text = forms.CharField(
        max_length=POST_LENGTH_MAX,
        label="Your post",
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="Markdown.",
    )
