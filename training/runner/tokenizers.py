"""Texts as tokens: how a text is cut, which tokens there are, and back.

A vocabulary is made from training rows only and kept in the recipe. Token 0 is padding and token 1
stands for whatever the vocabulary does not have; both are single characters that no text has, so
that a vocabulary of characters holds only characters.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

PADDING, UNKNOWN = "\u2400", "\ufffd"
RESERVED = (PADDING, UNKNOWN)
PADDING_TOKEN, UNKNOWN_TOKEN = 0, 1
VOCABULARY_MAX = 32_768
MOST = {"words": 8_000, "characters": 1_000}  # of a vocabulary that is made here
TOKEN_LENGTH_MAX = 80
WORD = re.compile(r"\w+|[^\w\s]")


def characters(text: str) -> list[str]:
    """Unicode's code points, composed where they can be."""
    return list(unicodedata.normalize("NFC", text))


def words(text: str) -> list[str]:
    """Words in lower case, each mark a word of its own; a longer word than any is cut."""
    found = WORD.findall(unicodedata.normalize("NFC", text).lower())
    return [word[:TOKEN_LENGTH_MAX] for word in found]


TOKENIZERS: Mapping[str, Callable[[str], list[str]]] = {"characters": characters, "words": words}


def tokens(text: str, tokenizer: str) -> list[str]:
    """The text, cut. `tokenizer` is a name of TOKENIZERS."""
    return TOKENIZERS[tokenizer](text)


def build_vocabulary(
    texts: Iterable[str], tokenizer: str, *, most: int | None = None
) -> tuple[str, ...]:
    """The tokens of texts; see `vocabulary_of`."""
    return vocabulary_of((tokens(text, tokenizer) for text in texts), tokenizer, most=most)


def vocabulary_of(
    pieces: Iterable[Iterable[str]], tokenizer: str, *, most: int | None = None
) -> tuple[str, ...]:
    """The reserved tokens, then the commonest, at most so many in all, or as many as MOST says;
    equally common ones by alphabet, so that the same rows always give the same numbers.
    """
    counts: Counter[str] = Counter()
    for piece in pieces:
        counts.update(piece)
    for token in RESERVED:
        counts.pop(token, None)
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    return (*RESERVED, *ranked[: (most or MOST[tokenizer]) - len(RESERVED)])


def numbers_of(text: str, tokenizer: str, vocabulary: Sequence[str]) -> NDArray[np.uint32]:
    """The tokens of a text as numbers, as many as there are."""
    known = known_numbers(vocabulary)
    found = [known.get(token, UNKNOWN_TOKEN) for token in tokens(text, tokenizer)]
    return np.array(found, np.uint32)


def known_numbers(vocabulary: Sequence[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(vocabulary)}


def encode(
    texts: Sequence[str], tokenizer: str, vocabulary: Sequence[str], steps: int
) -> NDArray[np.uint32]:
    """Tokens, uint32 [texts, steps]. A longer text ends early; a shorter one is padded in front,
    so that what a recurrent network reads last, and what is continued, is the text.
    """
    known = known_numbers(vocabulary)
    found = np.full((len(texts), steps), PADDING_TOKEN, np.uint32)
    for row, text in enumerate(texts):
        cut = tokens(text, tokenizer)[:steps]
        if cut:
            found[row, -len(cut) :] = [known.get(token, UNKNOWN_TOKEN) for token in cut]
    return found


def decode(numbers: Iterable[int], tokenizer: str, vocabulary: Sequence[str]) -> str:
    """The text of tokens, without padding. Words are set apart by spaces."""
    found = (vocabulary[number] for number in numbers if number != PADDING_TOKEN)
    return joined(found, tokenizer)


def joined(found: Iterable[str], tokenizer: str) -> str:
    return ("" if tokenizer == "characters" else " ").join(found)
