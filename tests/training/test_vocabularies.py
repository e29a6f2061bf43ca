"""What a model learned of a word, a column or a class is not taken for knowledge of another."""

import pytest

from tests.training.test_finetuning import FLOWERS, KIND, begun, brought, corrected, further, split
from tests.training.uploads import bring
from training import services as training
from training.runner.lineage import misreading

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture
def parent(alice):
    return begun(alice, brought(alice))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"width", b"breadth", "1 of its 2 features are not those of “Flowers”, such as"),
        (b",b\n", b",c\n", "1 of its 2 answers are not .* “c” instead of “b”"),
    ],
)
def test_a_name_that_stands_where_another_stood_is_refused(alice, parent, old, new, said):
    columns = [
        column | {"name": "breadth"} if old == b"width" and column["name"] == "width" else column
        for column in KIND["columns"]
    ]
    content = FLOWERS.replace(old, new).replace(b".", b"1.")  # other rows, of other flowers
    other = brought(alice, content=content, recipe=KIND | {"columns": columns})
    with pytest.raises(training.InvalidConfig, match=said) as refused:
        further(alice, parent, other)
    assert refused.value.invalid_parameters[0]["field"] == "dataset"
    assert "or train from the beginning" in str(refused.value)


def corpus(first: int) -> bytes:
    """Running text of as many words each, of which half are in both."""
    words = [f"word{first + number}" for number in range(12)]
    return " ".join(words[(row * 5 + row // 7) % 12] for row in range(600)).encode()


TEXT = {
    "kind": "text",
    "columns": [{"name": "text", "kind": "text"}],
    "tokenizer": "words",
    "steps": 4,
}


def test_fewer_words_are_not_those_of_the_parent_either(alice):
    """A table may have room for more words than there are, so that its shape stays."""
    parent = bring(alice, corpus(10), "text", asked=TEXT, split=split(kind="time"))
    fewer = b" ".join([b"word16", b"word21", b"word26"][row * row % 3] for row in range(600))
    other = bring(alice, fewer, "text", asked=TEXT, split=split(kind="time"))
    assert len(parent.recipe["vocabulary"]) > len(other.recipe["vocabulary"])
    assert "recipe.vocabulary" in misreading(parent, other)


def test_columns_of_a_series_are_those_of_the_parent_whatever_the_window(alice):
    days = [f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in range(200)]

    def series(names: str, window: int):
        rows = [f"{day},{number % 7}.5,{number % 5}.25" for number, day in enumerate(days)]
        found = bring(alice, "\n".join([f"day,{names}", *rows]).encode(), "csv")
        stated = found.asked | {"window": window, "horizon": 1}
        return corrected(alice, dataset=found, recipe=stated, kind="time", test=0.2)

    parent = series("heat,rain", 8)
    assert misreading(parent, series("heat,rain", 6)) is None
    assert "recipe.columns" in misreading(parent, series("damp,rain", 6))


def test_a_text_is_read_with_the_words_of_the_parent_or_not_at_all(alice):
    parent, other = (
        bring(alice, corpus(first), "text", asked=TEXT, split=split(kind="time"))
        for first in (10, 16)
    )
    assert len(parent.recipe["vocabulary"]) == len(other.recipe["vocabulary"])
    said = misreading(parent, other)
    assert "recipe.vocabulary" in said
    stated = TEXT | {"vocabulary": parent.recipe["vocabulary"]}
    assert (
        misreading(parent, corrected(alice, dataset=other, recipe=stated, kind="time", test=0.2))
        is None
    )
