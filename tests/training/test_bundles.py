"""The data that comes with the site: real, whole, split without leaks, and the same every time."""

import numpy as np
import pytest
from django.conf import settings
from sklearn.datasets import load_breast_cancer

from kernels.data import Target, TrainingData, check_data
from training import services as training
from training.models import Category, Dataset, Work
from training.runner import blobs, datasets, leases
from training.runner.bundles import BUNDLES, series, texts
from training.runner.bundles.parts import grouped
from training.runner.recipes import Recipe
from training.runner.rows import Part, unpack

WITH_ROWS = [slug for slug in BUNDLES if slug != "cartpole"]


def prepared(slug):
    dataset = training.add_bundled_dataset(slug=slug)
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert dataset.status == Work.Status.DONE
    assert Recipe.from_json(dataset.recipe).to_json() == dataset.recipe
    return dataset, unpack(blobs.get(dataset.sha256))


@pytest.mark.parametrize("slug", WITH_ROWS)
def test_alice_finds_bundled_rows_that_networks_can_be_given(db, slug):
    dataset, rows = prepared(slug)
    train, validation = rows.only(Part.TRAIN), rows.only(Part.VALIDATION)
    check_data(
        dataset.data_shape,
        TrainingData(train.features, train.targets, validation.features, validation.targets),
    )
    counts = [dataset.train_rows, dataset.validation_rows, dataset.test_rows]
    assert counts == [len(rows.numbers(part)) for part in Part]
    assert min(counts) > 0
    assert sum(counts) == dataset.rows == len(rows)


def test_everything_bundled_is_told_of_and_nothing_else(db):
    assert set(training.BUNDLED) == set(BUNDLES)
    added = training.add_bundled_datasets()
    assert {dataset.slug for dataset in added} == set(BUNDLES)
    assert all(d.description and d.source and d.licence for d in added)
    assert {d.category for d in added} >= set(Category) - {Category.GENERATIVE, Category.CUSTOM}
    assert training.add_bundled_datasets() == added
    assert Dataset.objects.count() == len(added)


@pytest.mark.parametrize("slug", BUNDLES)
def test_the_same_bytes_come_every_time(slug):
    first, second = BUNDLES[slug](), BUNDLES[slug]()
    assert first.features.tobytes() == second.features.tobytes()
    assert first.targets.tobytes() == second.targets.tobytes()
    assert first.recipe == second.recipe
    if first.parts is None:
        assert (
            datasets.parts_of(first, seed=0).tolist() == datasets.parts_of(second, seed=0).tolist()
        )
    else:
        assert first.parts.tolist() == second.parts.tolist()


def test_no_sentence_is_in_two_parts_in_another_language():
    rows, bundle = texts.sentences(), BUNDLES["languages"]()
    parts_of_message = {}
    for row, part in zip(rows, bundle.parts, strict=True):
        parts_of_message.setdefault(row.message, set()).add(part)
    assert len(parts_of_message) > 300
    assert all(len(parts) == 1 for parts in parts_of_message.values())
    folded = [row.text.casefold() for row in rows]
    assert len(set(folded)) == len(folded)
    assert {row.language for row in rows} == set(texts.LANGUAGES)


def test_words_that_only_the_test_part_has_are_unknown():
    rows, bundle = texts.sentences(), BUNDLES["languages"]()
    trained = " ".join(
        row.text.lower() for row, part in zip(rows, bundle.parts, strict=True) if part == Part.TRAIN
    )
    assert all(word in trained for word in bundle.recipe.vocabulary[2:])
    tested = bundle.features[bundle.parts == Part.TEST]
    assert (tested == 1).any()


def test_groups_stay_whole_and_fill_all_parts():
    groups = [str(number // 3) for number in range(300)]
    parts = grouped(groups, seed=0).reshape(-1, 3)
    assert (parts == parts[:, :1]).all()
    assert [int((parts[:, 0] == part).sum()) for part in Part] == [69, 16, 15]


def test_nothing_that_is_foretold_reaches_into_another_part():
    values = np.arange(100, dtype=np.float32)
    features, targets, parts = series.windows(values, 10, 5)
    assert (features[:, -1, 0] + 1 == targets[:, 0]).all()
    ends = {part: targets[parts == part] for part in Part}
    assert ends[Part.TRAIN].max() < 70 <= ends[Part.VALIDATION].min()
    assert ends[Part.VALIDATION].max() < 85 <= ends[Part.TEST].min()
    assert ends[Part.TEST].max() == 99


def test_the_manual_foretells_itself_one_character_later():
    bundle = BUNDLES["python-docs"]()
    assert bundle.shape.target is Target.NEXT
    assert (bundle.features[:, 1:] == bundle.targets[:, :-1]).all()
    words = bundle.recipe.vocabulary
    read = "".join(words[token] for token in bundle.features[:4].reshape(-1))
    assert read in texts.manual()


def test_the_training_part_of_the_anomalies_is_healthy():
    bundle = BUNDLES["breast-cancer-anomalies"]()
    malignant = bundle.targets == bundle.classes.index("malignant")
    assert not malignant[bundle.parts != Part.TEST].any()
    source = load_breast_cancer()
    tested = bundle.parts == Part.TEST
    share = malignant[tested].mean()
    assert abs(share - (source.target == 0).mean()) < 0.01  # as often as in nature


def test_the_pictures_are_the_digits_and_split_alike(db):
    (_, rows), (dataset, pictures) = prepared("digits"), prepared("digit-pictures")
    assert (pictures.features.reshape(-1, 64) == rows.features).all()
    assert (pictures.parts == rows.parts).all()
    assert (dataset.train_rows, dataset.validation_rows, dataset.test_rows) == (1257, 270, 270)


def test_an_older_version_keeps_its_rows_under_a_slug_of_its_own(db):
    older = training.add_bundled_dataset(slug="digit-pictures")
    Dataset.objects.update(version=1, sha256="0" * 64, status=Work.Status.DONE)
    found = training.add_bundled_dataset(slug="digit-pictures")
    older.refresh_from_db()
    assert (older.slug, older.sha256) == ("digit-pictures-1", "0" * 64)
    assert (found.slug, found.version, found.sha256) == ("digit-pictures", 2, "")
    assert found.family == older.family
    assert training.add_bundled_dataset(slug="digit-pictures") == found


def test_an_older_version_that_nobody_read_becomes_the_new_one(db):
    older = training.add_bundled_dataset(slug="digit-pictures")
    Dataset.objects.update(version=1)
    late = leases.claim(Dataset, str(older.pk))
    found, _ = prepared("digit-pictures")
    assert (found.pk, found.slug, found.version) == (older.pk, "digit-pictures", 2)
    with pytest.raises(leases.LeaseLost):
        leases.renew(late)


def test_an_environment_has_no_rows(db):
    dataset, rows = prepared("cartpole")
    assert (dataset.rows, len(rows), dataset.recipe["kind"]) == (0, 0, "environment")
    assert dataset.data_shape.target is Target.ACTIONS


def test_the_catalogues_come_from_a_locked_package():
    locks = (settings.BASE_DIR / "config" / "locks" / "run.txt").read_text().lower()
    for package in ("django", "statsmodels", "scikit-learn"):
        assert f"\n{package}==" in locks
