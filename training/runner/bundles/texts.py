"""Texts: sentences whose language is to be told, and a manual whose next character is."""

import gettext
import pydoc_data.topics
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import django
import numpy as np

from training.runner.bundles.bundle import SHARES, Bundle, asked, split_of
from training.runner.bundles.parts import grouped, numbered
from training.runner.recipes import Column, Form, Kind, Recipe
from training.runner.rows import Part
from training.runner.tokenizers import build_vocabulary, encode, numbers_of

LANGUAGES = {
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "sv": "Swedish",
}
LETTERS_MIN = 12  # fewer do not tell one language from another
MARKED = re.compile(r"[%{<&_\n]")  # places to be filled, markup, names of code
WORDS_MAX, WORDS_SEEN = 6_000, 24
CHARACTERS_SEEN = 64


class Sentence(NamedTuple):
    message: str  # the English text that it translates, its own where it is English
    language: str
    text: str


def catalogues(language: str) -> Iterator[dict[str, str]]:
    """Django's own translations into a language, by the message."""
    root = Path(django.__file__).parent
    for folder in ("conf", "contrib/*"):
        for path in sorted(root.glob(f"{folder}/locale/{language}/LC_MESSAGES/django.mo")):
            with path.open("rb") as file:
                found: dict[object, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
            # Plural forms stand under pairs; a context stands before a message.
            yield {
                key.rpartition("\x04")[2]: text
                for key, text in found.items()
                if isinstance(key, str) and key
            }


def is_sentence(text: str) -> bool:
    letters = sum(letter.isalpha() for letter in text)
    return not MARKED.search(text) and " " in text and letters >= LETTERS_MIN


def sentences() -> list[Sentence]:
    """In a fixed order, each once, and none that stands in two languages."""
    found: dict[tuple[str, str], str] = {}
    for language in LANGUAGES:
        for catalogue in catalogues(language):
            for message, text in catalogue.items():
                found.setdefault((message, language), text)
                found.setdefault((message, "en"), message)
    languages_of = defaultdict(set)
    for (_, language), text in found.items():
        languages_of[text.casefold()].add(language)
    chosen: dict[str, Sentence] = {}
    for (message, language), text in sorted(found.items()):
        if is_sentence(text) and len(languages_of[text.casefold()]) == 1:
            chosen.setdefault(text.casefold(), Sentence(message, language, text))
    return list(chosen.values())


def languages() -> Bundle:
    """Sentences of Django's pages in twelve languages of Europe; which is it?

    A message and all its translations are in one part, or what was learned of a message would be
    asked again in another language.
    """
    rows = sentences()
    parts = grouped([row.message for row in rows], seed=0)
    texts = [row.text for row in rows]
    trained = [text for text, part in zip(texts, parts, strict=True) if part == Part.TRAIN]
    codes = list(LANGUAGES)
    recipe = Recipe(
        Form.TEXT,
        (Column("sentence", Kind.TEXT), asked("language", list(LANGUAGES.values()))),
        tokenizer="words",
        steps=WORDS_SEEN,
        vocabulary=build_vocabulary(trained, "words", most=WORDS_MAX),
    )
    return Bundle(
        features=encode(texts, recipe.tokenizer, recipe.vocabulary, recipe.steps),
        targets=np.array([codes.index(row.language) for row in rows], np.uint32),
        recipe=recipe,
        split=split_of("group", "message"),
        parts=parts,
        split_by=numbered([row.message for row in rows]),
    )


def manual() -> str:
    """The reference of Python as the interpreter's own `help` knows it, in ASCII."""
    topics = pydoc_data.topics.topics
    text = "\n\n".join(topics[name].strip() for name in sorted(topics))
    return text.encode("ascii", "replace").decode()


def python_docs() -> Bundle:
    """The reference of Python in stretches of 64 characters; which comes next?

    Train, validation and test are its beginning, middle and end. The vocabulary is that of the
    beginning.
    """
    text = manual()
    ends = [int(len(text) * share) for share in np.cumsum(list(SHARES.values()))]
    recipe = Recipe(
        Form.TEXT,
        (Column("text", Kind.TEXT),),
        tokenizer="characters",
        steps=CHARACTERS_SEEN,
        vocabulary=build_vocabulary([text[: ends[0]]], "characters"),
    )
    tokens = numbers_of(text, recipe.tokenizer, recipe.vocabulary)
    begins = np.arange(0, len(text) - CHARACTERS_SEEN, CHARACTERS_SEEN)
    parts = np.searchsorted(ends, begins, side="right").astype(np.int8)
    whole = parts == np.searchsorted(ends, begins + CHARACTERS_SEEN, side="left")
    stretches = tokens[begins[whole, None] + np.arange(CHARACTERS_SEEN + 1)]
    return Bundle(
        features=np.ascontiguousarray(stretches[:, :-1]),
        targets=np.ascontiguousarray(stretches[:, 1:]),
        recipe=recipe,
        split=split_of("time"),
        parts=parts[whole],
    )
