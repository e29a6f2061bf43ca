"""Bundled datasets: what is said of each, and how they come to be here."""

from typing import Any, NotRequired, TypedDict

from django.db import transaction
from django.db.models import F

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from training.models import Category, Dataset
from training.runner.hints import hint


class Told(TypedDict):
    name: str
    description: str
    source: str
    licence: str
    category: Category
    version: NotRequired[int]


BUNDLED: dict[str, Told] = {
    "digits": {
        "name": "Handwritten digits",
        "description": "Digits written by 43 people, scanned, and reduced to 8 × 8 pixels with "
        "17 grey levels. Small enough to train in a second, hard enough to be worth it.",
        "source": "UCI “Optical Recognition of Handwritten Digits”, by way of scikit-learn",
        "licence": "CC BY 4.0",
        "category": Category.CLASSIFICATION,
    },
    "iris": {
        "name": "Iris flowers",
        "description": "Three species of iris by length and width of sepals and petals. One of "
        "them is easily told from the others; those two overlap.",
        "source": "R. A. Fisher, 1936; UCI, by way of scikit-learn",
        "licence": "CC BY 4.0",
        "category": Category.CLASSIFICATION,
    },
    "wine": {
        "name": "Wine",
        "description": "Wines of three growers of one region of Italy, by what a chemist measures "
        "in them.",
        "source": "M. Forina et al., UCI, by way of scikit-learn",
        "licence": "CC BY 4.0",
        "category": Category.CLASSIFICATION,
    },
    "breast-cancer": {
        "name": "Breast cancer, Wisconsin",
        "description": "Tumours, benign or malignant, by the size and shape of the nuclei of "
        "their cells as seen in a picture of a sample.",
        "source": "W. H. Wolberg, W. N. Street and O. L. Mangasarian, UCI, by way of scikit-learn",
        "licence": "CC BY 4.0",
        "category": Category.CLASSIFICATION,
    },
    "diabetes": {
        "name": "Diabetes",
        "description": "How far the illness of 442 patients got in a year, by age, sex, weight, "
        "blood pressure and six values of their blood. Much of it is chance: half of the variance "
        "is about all that anybody has explained. Split so that each part has its share of every "
        "tenth of the values.",
        "source": "B. Efron et al., “Least angle regression”, 2004, by way of scikit-learn",
        "licence": "Published with the paper for free use",
        "category": Category.REGRESSION,
    },
    "co2": {
        "name": "Carbon dioxide over Mauna Loa",
        "description": "Parts in a million, week by week from 1958 to 2001: a yearly wave on a "
        "rise that gets steeper. From one year the next 13 weeks are to be foretold. Split by "
        "time; 59 weeks that nobody measured are drawn in a straight line.",
        "source": "C. D. Keeling and T. P. Whorf, Scripps, by way of statsmodels",
        "licence": "Public domain",
        "category": Category.TIMESERIES,
    },
    "languages": {
        "name": "Languages of Europe",
        "description": "Which of twelve languages is this sentence? The sentences are those of "
        "Django's own pages, translated by its community. A message and all its translations are "
        "in one part.",
        "source": "gettext catalogues of Django",
        "licence": "BSD-3-Clause",
        "category": Category.NLP,
    },
    "python-docs": {
        "name": "Python's manual",
        "description": "The reference of Python as its interactive help prints it, cut into "
        "stretches of 64 characters. After each character, which comes next? A network that "
        "knows can write on.",
        "source": "pydoc_data.topics of Python's standard library",
        "licence": "PSF-2.0",
        "category": Category.NLP,
    },
    "digit-pictures": {
        "name": "Handwritten digits as pictures",
        "description": "The handwritten digits as pictures of 8 × 8 pixels, for networks that "
        "look at neighbourhoods. Moved by a pixel a digit is the same, which the preset's "
        "augmentation lets a network see.",
        "source": "UCI “Optical Recognition of Handwritten Digits”, by way of scikit-learn",
        "licence": "CC BY 4.0",
        "category": Category.VISION,
        "version": 2,  # the first had moved copies of its training pictures among its rows
    },
    "breast-cancer-anomalies": {
        "name": "Breast cancer as anomalies",
        "description": "A network is shown benign tumours only, and is to notice what is not like "
        "them. Malignant ones are in the test part alone.",
        "source": "W. H. Wolberg, W. N. Street and O. L. Mangasarian, UCI, by way of scikit-learn",
        "licence": "CC BY 4.0",
        "category": Category.ANOMALY,
    },
    "cartpole": {
        "name": "Pole on a cart",
        "description": "A pole stands on a cart, and falls unless the cart is pushed left or "
        "right in time. There are no rows: a network learns from what it plays, at most 500 "
        "pushes an episode.",
        "source": "A. G. Barto, R. S. Sutton and C. W. Anderson, 1983; CartPole-v1 of gymnasium",
        "licence": "MIT",
        "category": Category.REINFORCEMENT,
    },
}


@transaction.atomic
def add_bundled_dataset(*, slug: str, actor: User | None = None) -> Dataset:
    """Make sure this dataset of a package is here; a worker reads and counts it."""
    if slug not in BUNDLED:
        known = ", ".join(sorted(BUNDLED))
        raise Refusal(f"dataset: {slug!r} is not bundled; these are: {known}.")
    told = {**BUNDLED[slug], **family_of(slug), "request_id": governance.request_id()}
    dataset, created = Dataset.objects.get_or_create(slug=slug, defaults=told)
    if created:
        governance.record(actor=actor, verb="add_dataset", subject=dataset)
    if not dataset.is_over:
        hint("training.tasks.prepare_dataset", dataset_id=str(dataset.pk))
    return dataset


def family_of(slug: str) -> dict[str, Any]:
    """That of an older version, which keeps its rows and its models under a slug of its own. One
    that was never read has neither and becomes the new one; who may be reading it is too late.
    """
    version = BUNDLED[slug].get("version", 1)
    older = Dataset.objects.select_for_update().filter(slug=slug, version__lt=version).first()
    if older is None:
        return {}
    if not older.is_over:
        Dataset.objects.filter(pk=older.pk).update(
            **BUNDLED[slug], attempt=F("attempt") + 1, lease_until=None
        )
        return {}
    Dataset.objects.filter(pk=older.pk).update(slug=f"{slug}-{older.version}")
    return {"family": older.family}


def add_bundled_datasets(*, actor: User | None = None) -> list[Dataset]:
    """Make sure that all of them are here."""
    return [add_bundled_dataset(slug=slug, actor=actor) for slug in BUNDLED]
