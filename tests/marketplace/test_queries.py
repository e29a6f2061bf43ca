"""What people type into the search box, read and written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.runner.queries import Condition, Query, Term, parse, write


def test_bob_asks_with_words_and_conditions():
    query = parse(
        'digit "hand written" -letters category:vision,nlp price:0 latency<5 accuracy>0.95'
    )
    assert query.terms == (Term("digit"), Term("hand written"), Term("letters", is_excluded=True))
    assert query.conditions == (
        Condition("category", ":", ("vision", "nlp")),
        Condition("price", ":", low=0, high=0),
        Condition("latency", "<", high=5),
        Condition("accuracy", ">", low=0.95),
    )
    assert query.text == 'digit "hand written" -letters'
    assert query.notes == ()


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ("params<100k", "params<100000"),
        ("size<=2MB", "size<=2000000"),
        ("latency<50us", "latency<0.05"),
        ("accuracy>95%", "accuracy>0.95"),
        ("license:mit", "licence:MIT"),
        ("price:free", "price:0"),
        ("published:2026-11", "published:2026-11-01..2026-11-30"),
        ("published>2025", "published:2026-01-01.."),
        ("published<=2025-12-31", "published:..2025-12-31"),
        ("published:030d", "published:30d"),
        ("by:alice", "author:alice"),
        ("-category:nlp", "-category:nlp"),
        ("price:1..5", "price:1..5"),
        ('"price:0"', '"price:0"'),
        ("digit digit", "digit"),
    ],
)
def test_what_is_asked_has_a_shortest_spelling(asked, same):
    assert write(parse(asked)) == same


@pytest.mark.parametrize(
    ("asked", "note", "terms"),
    [
        ("category:letters", "category: “letters” is none of classification", ()),
        ("latency<fast", "latency: “fast” is no number", ()),
        ("category<5", "category: is no number; write category:5", ()),
        ("published>yesterday", "published: “yesterday” is no date", ()),
        ("published:2026-13-01", "is no date", ()),
        ("price:..", "price: a range has an end", ()),
        ("author:,", "author: say which", ()),
        ("http://example.com", "“http:” is no filter here", (Term("http://example.com"),)),
        ("category:vision,letters", "“letters” is none of", ()),
    ],
)
def test_what_cannot_be_read_is_said(asked, note, terms):
    query = parse(asked)
    assert note in query.notes[0]
    assert query.terms == terms


def test_a_filter_is_dropped_without_the_others():
    query = parse("digit price:0 category:vision")
    assert write(query.dropping(Condition("price", ":", low=0, high=0))) == "digit category:vision"
    assert write(query.dropping(Term("digit"))) == "price:0 category:vision"
    assert query.names == ("price", "category")


def test_more_words_than_anybody_means_are_cut():
    query = parse("word " * 3 + " ".join(f"w{n}" for n in range(100)))
    assert len(query.terms) <= 40
    assert "first 40" in query.notes[0]


PIECES = st.sampled_from(
    ["category", "price", "accuracy", "published", ":", "<", ">=", "..", "-", '"', ",", " ", "0",
     "5k", "2026-02", "vision", "a", "OR", "%", "'", "\\", "µs", "30d", "\x00"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=25).map("".join)))
def test_any_text_is_a_query_that_is_written_and_read_the_same(text):
    query = parse(text)
    assert isinstance(query, Query)
    again = parse(write(query))
    assert again == query
    assert again.notes == ()
    assert write(again) == write(query)
