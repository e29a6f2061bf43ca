"""What is measured on the rows that train is measured on those alone, however often people correct
a schema; what they stated stays.
"""

import numpy as np
import pytest
from django.urls import reverse

from tests.training.test_dataset_api import ADDRESS, Caller
from tests.training.test_dataset_pages import schema_form
from tests.training.uploads import bring, stored
from training import services as training
from training.models import Dataset
from training.runner import datasets
from training.runner.rows import Part

pytestmark = pytest.mark.usefixtures("in_this_process")

ROWS = 60
SIZES = [None if row % 7 == 0 else row**1.5 for row in range(ROWS)]
SHOPS = [f"shop {row // 3}" for row in range(ROWS)]  # some stand in one part only
TABLE = "size,shop,price\n" + "".join(
    f"{'' if size is None else size},{shop},{row * 1.25}\n"
    for row, (size, shop) in enumerate(zip(SIZES, SHOPS, strict=True))
)
SPLIT = {"kind": "random", "train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0, "column": ""}


@pytest.fixture
def prices(alice) -> Dataset:
    dataset = bring(alice, TABLE.encode(), "csv", split=SPLIT)
    assert dataset.status == "done", dataset.error_message
    assert_fitted(dataset)
    return dataset


def assert_fitted(dataset: Dataset) -> None:
    """The fill and the values are those of the rows that train, and of no other."""
    train = np.flatnonzero(stored(dataset).parts == Part.TRAIN)
    size, shop = dataset.recipe["columns"][:2]
    there = [SIZES[row] for row in train if SIZES[row] is not None]
    assert size["missing"] == np.median(there)
    assert set(shop["values"]) == {SHOPS[row] for row in train}


def read_again(dataset: Dataset) -> Dataset:
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert dataset.status == "done", dataset.error_message
    return dataset


def test_another_seed_measures_fills_and_values_on_the_rows_that_train_now(client, alice, prices):
    client.force_login(alice)
    address = reverse("training:schema", args=[prices.slug])
    page = client.get(address)
    fill = prices.recipe["columns"][0]["missing"]
    assert f'placeholder="measured: {fill}"' in page.content.decode()
    assert client.post(address, schema_form(page) | {"split_seed": "1"}).status_code == 302
    again = read_again(prices)
    assert again.split["seed"] == 1
    assert again.recipe["columns"][0]["missing"] != fill
    assert_fitted(again)


@pytest.mark.parametrize("sent", ["split", "recipe"])
def test_a_program_that_sends_back_what_it_read_asks_for_nothing_of_it(alice, prices, sent):
    recipe = {"recipe": prices.recipe} if sent == "recipe" else {}
    body = recipe | {"split": SPLIT | {"seed": 1}}
    answer = Caller(alice)("PATCH", f"{ADDRESS}/{prices.slug}", body)
    assert answer.status_code == 202
    assert answer.json()["asked"]["columns"][0]["missing"] is None
    assert_fitted(read_again(prices))


def test_what_alice_states_stays_whatever_rows_train(client, alice, prices):
    client.force_login(alice)
    address = reverse("training:schema", args=[prices.slug])
    median = prices.recipe["columns"][0]["missing"]
    stated = {"missing_0": str(median), "missing_1": "unknown"}
    client.post(address, schema_form(client.get(address)) | stated)
    read_again(prices)
    for seed in range(1, 3):
        client.post(address, schema_form(client.get(address)) | {"split_seed": str(seed)})
        size, shop = read_again(prices).recipe["columns"][:2]
        assert float(size["missing"]) == median
        assert shop["missing"] == "unknown"
        assert "unknown" in shop["values"]
    client.post(address, schema_form(client.get(address)) | {"missing_0": "", "missing_1": ""})
    assert_fitted(read_again(prices))


def test_alices_program_fixes_the_very_fill_that_was_measured(client, alice, prices):
    median = prices.recipe["columns"][0]["missing"]
    size, *others = prices.asked["columns"]
    wanted = prices.asked | {"columns": [size | {"missing": median}, *others]}
    body = {"recipe": wanted, "keep_measured": True}
    assert Caller(alice)("PATCH", f"{ADDRESS}/{prices.slug}", body).json()["asked"] == wanted
    fixed = read_again(prices)
    client.force_login(alice)
    address = reverse("training:schema", args=[fixed.slug])
    unchanged = client.post(address, schema_form(client.get(address)), follow=True)
    assert "Version 1 has this schema already" in unchanged.content.decode()
    Caller(alice)("PATCH", f"{ADDRESS}/{prices.slug}", {"split": SPLIT | {"seed": 1}})
    assert read_again(prices).recipe["columns"][0]["missing"] == median


def test_the_words_of_a_text_are_those_that_train(alice):
    lines = "".join(f"word{row} and,{'yes' if row % 2 else 'no'}\n" for row in range(ROWS))
    recipe = {
        "kind": "text",
        "columns": [
            {"name": "said", "kind": "text"},
            {"name": "is", "kind": "category", "role": "target"},
        ],
        "tokenizer": "words",
        "steps": 4,
    }
    dataset = bring(alice, f"said,is\n{lines}".encode(), "csv", asked=recipe, split=SPLIT)
    first = set(dataset.recipe["vocabulary"])
    corrected = training.correct_schema(
        actor=alice,
        dataset=dataset,
        recipe=training.unfitted(recipe=dataset.recipe, dataset=dataset),
        split=SPLIT | {"seed": 1},
    )
    again = read_again(corrected)
    train = np.flatnonzero(stored(again).parts == Part.TRAIN)
    words = {word for word in again.recipe["vocabulary"] if word.startswith("word")}
    assert words == {f"word{row}" for row in train}
    assert words - first


def test_the_usual_class_is_found_unless_alice_chose_one(client, alice):
    client.force_login(alice)
    lines = "".join(f"{row},{'odd' if row % 5 == 0 else 'well'}\n" for row in range(ROWS))
    dataset = bring(alice, f"size,class\n{lines}".encode(), "csv")
    address = reverse("training:schema", args=[dataset.slug])
    for chosen, asked in (("well", None), ("odd", "odd"), ("", "")):
        client.post(address, schema_form(client.get(address)) | {"usual": chosen})
        read_again(dataset)
        assert (dataset.asked.get("usual"), dataset.recipe["usual"]) == (asked, chosen)
