"""What was meant by words that no listing has.

A word that begins others is taken for its beginning, as while it is typed. Another one is corrected
to the word that differs in the fewest letters (inserted, left out, changed, or two exchanged), the
more common one among equals; the candidates come from the trigram index. One wrong letter is
allowed in a word of four, two from seven on.
"""

from dataclasses import dataclass, replace

from django.contrib.postgres.search import TrigramDistance
from django.db.models import QuerySet, TextField, Value

from marketplace.models import Word
from marketplace.runner.queries import Query, Term

CANDIDATES = 40
WORDS_MAX = 6  # of a query, that are looked up


@dataclass(frozen=True)
class Corrected:
    query: Query
    words: dict[str, str]  # what was typed, and what was looked for


def correct(query: Query) -> Corrected | None:
    """The query as it was meant; nothing where its words are known, or nobody knows better."""
    asked = {term.text.lower() for term in query.terms if not term.is_excluded}
    words = sorted({word for text in asked for word in text.split() if word.isalpha()})[:WORDS_MAX]
    known = set(Word.objects.filter(word__in=words).values_list("word", flat=True))
    unknown = [word for word in words if word not in known]
    changed = nearest(unknown) if unknown else {}
    if not changed:
        return None
    terms = tuple(replace(term, text=respelled(term, changed)) for term in query.terms)
    return Corrected(replace(query, terms=terms), changed)


def respelled(term: Term, changed: dict[str, str]) -> str:
    return " ".join(changed.get(word.lower(), word) for word in term.text.split())


def nearest(words: list[str]) -> dict[str, str]:
    """What was meant by each, where that is clear; one statement for all."""
    looked = [word for word in words if len(word) >= 3]
    parts = [part for word in looked for part in (begun(word), similar(word))]
    if not parts:
        return {}
    found: dict[str, list[tuple[int, int, str]]] = {}
    for word, listings, asked in parts[0].union(*parts[1:], all=True):
        if word.startswith(asked):
            found.setdefault(asked, []).append((-1, -listings, word))
        elif len(asked) > 3 and (far := distance(asked, word)) <= (1 if len(asked) < 7 else 2):
            found.setdefault(asked, []).append((far, -listings, word))
    return {asked: min(candidates)[2] for asked, candidates in found.items()}


def begun(word: str) -> "QuerySet[Word, tuple[str, int, str]]":
    rows = Word.objects.filter(word__startswith=word).order_by("-listings", "word")
    return rows.values_list("word", "listings", Value(word, TextField()))[:1]


def similar(word: str) -> "QuerySet[Word, tuple[str, int, str]]":
    rows = Word.objects.order_by(TrigramDistance("word", word))
    return rows.values_list("word", "listings", Value(word, TextField()))[:CANDIDATES]


def distance(one: str, other: str) -> int:
    """Of Damerau and Levenshtein, where neighbours may be exchanged once."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
