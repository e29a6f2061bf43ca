"""Invented listings, as many as anybody wants, to measure the catalogue with.

They are kept in a schema of their own (`SCHEMA`) whose tables are made like the site's. No page
reads that schema, so an invented figure can never be taken for a measured one; `asked_there` leads
the statements of one connection to it. The same seed gives the same rows.

What costs time is what is skewed: words, authors and downloads follow a power law, figures and
certificates hang together, and ids are random, as they are in the site.
"""

import datetime
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from marketplace.models import Listing, Overview, Plan, Sampled, Word
from training.models import Category, Licence, Tier, Validation

SCHEMA = "catalogue_bench"
TABLES = [model._meta.db_table for model in (Listing, Sampled, Overview, Word)]
CHUNK = 10_000
DESCRIPTION_WORDS = 30
AUTHORS = 20_000
DATASETS = 400
PSEUDO_WORDS = 20_000
DAYS = 1_100
EPOCH = datetime.datetime(2023, 12, 1, tzinfo=datetime.UTC)


def words_in(text: str) -> list[str]:
    return text.split()


THINGS = words_in("""
digit image photo text sentence review tweet news price demand traffic weather energy heart rate
sensor motor vibration fraud card customer churn credit loan wine flower leaf tumor cell protein
gene molecule speech music genre bird whale satellite crop road sign face emotion gesture pose
language translation summary question answer keyword topic intent click session basket river wave
tide solar wind battery engine valve pump crane ship drone rover cart pole maze chess token
""")
TASKS = words_in("""
classifier reader recogniser detector predictor forecaster estimator ranker tagger segmenter
generator encoder denoiser scorer matcher counter filter monitor planner agent
""")
KINDS = words_in("""
compact fast robust deep shallow wide tiny quantised pruned calibrated bilingual seasonal hourly
daily recurrent convolutional attentive residual ensemble baseline
""")
ARCHITECTURES = ("feedforward", "lstm", "transformer", "autoencoder", "gan", "cnn")
METRICS = {
    Category.REGRESSION: ("r2", False, False),
    Category.TIMESERIES: ("mase", True, False),
    Category.ANOMALY: ("pr_auc", False, True),
    Category.GENERATIVE: ("frechet_distance", True, False),
    Category.REINFORCEMENT: ("mean_return", False, False),
}
SYLLABLES = words_in("""
ba be bi bo ca co da de di do fa fe ga go ha ka la le li lo ma me mi mo na ne ni no pa po ra re ri
ro sa se si so ta te ti to va ve vi za zo
""")


def pseudo_words() -> list[str]:
    """Words that nobody uses, so that a vocabulary has a long tail."""
    size = len(SYLLABLES)
    return [
        SYLLABLES[n % size] + SYLLABLES[n // size % size] + SYLLABLES[n // size**2 % size] + "x"
        for n in range(7, 7 + PSEUDO_WORDS)
    ]


def powers(count: int, exponent: float) -> NDArray[np.float64]:
    weights = np.arange(1, count + 1, dtype=float) ** -exponent
    return np.cumsum(weights / weights.sum())


class Inventor:
    """Draws rows by the thousand; `copied` writes them as COPY reads them."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.words = [*THINGS, *TASKS, *KINDS, *pseudo_words()]
        self.stems = stems_of(self.words)
        self.word_shares = powers(len(self.words), 0.75)
        self.author_shares = powers(AUTHORS, 0.7)
        self.dataset_shares = powers(DATASETS, 1.1)

    def picked(self, shares: NDArray[np.float64], *shape: int) -> NDArray[np.int64]:
        return np.minimum(np.searchsorted(shares, self.draw.random(shape)), len(shares) - 1)

    def columns(self, count: int) -> dict[str, list[Any]]:
        draw = self.draw
        merit = draw.random(count)
        price = np.where(draw.random(count) < 0.35, 0, draw.lognormal(2.3, 1.2, count))
        found: dict[str, Any] = {
            "id": [uuid.UUID(bytes=draw.bytes(16), version=4) for _ in range(count)],
            "merit": merit,
            "author": self.picked(self.author_shares, count),
            "dataset": self.picked(self.dataset_shares, count),
            "category": draw.integers(0, len(Category), count),
            "plan": draw.integers(1, len(Plan), count),
            "price": (price * 1e6).astype(np.int64) // 10_000 * 10_000,
            "call": draw.integers(1, 50, count) * 100,
            "architecture": self.picked(powers(len(ARCHITECTURES), 0.8), count),
            "tier": self.picked(powers(len(Tier), 1.2), count),
            "parameters": draw.lognormal(10, 1.8, count).astype(np.int64) + 10,
            "licence": self.picked(powers(len(Licence), 0.6), count),
            "latency": draw.lognormal(-2, 1.3, count),
            "age": (draw.random(count) ** 2 * DAYS * 86_400).astype(np.int64),
            "downloads": np.minimum(draw.pareto(0.9, count) * 3 * merit, 200_000).astype(np.int64),
            "ratings": draw.poisson(2, count),
            "thing": self.picked(powers(len(THINGS), 0.6), count),
            "task": self.picked(powers(len(TASKS), 0.6), count),
            "kind": self.picked(powers(len(KINDS), 0.6), count),
        }
        return {
            name: values if isinstance(values, list) else values.tolist()
            for name, values in found.items()
        }

    def copied(self, count: int) -> str:
        """Rows of `COPIED`, tabs between."""
        spoken = self.picked(self.word_shares, count, DESCRIPTION_WORDS).tolist()
        columns = self.columns(count)
        rows = zip(*columns.values(), spoken, strict=True)
        names = list(columns)
        return "".join(self.line(dict(zip(names, row[:-1], strict=True)), row[-1]) for row in rows)

    def line(self, row: dict[str, Any], spoken: list[int]) -> str:
        name = [KINDS[row["kind"]], THINGS[row["thing"]], TASKS[row["task"]]]
        category = list(Category)[row["category"]]
        metric, is_error, is_share = METRICS.get(category, ("accuracy", False, True))
        value = 0.4 + 0.6 * row["merit"] ** 0.5 if not is_error else 1.5 - row["merit"]
        author, dataset = f"generated-{row['author']}", f"dataset-{row['dataset']}"
        cells = [
            row["id"], f"generated-{row['id'].hex}", " ".join(name).capitalize(),
            "A generated row, to measure the catalogue with: "
            + " ".join(self.words[word] for word in spoken[:8]),
            uuid.UUID(int=row["author"]), author, category.value,
            list(Plan)[row["plan"]].value if row["price"] else "free",
            row["price"], row["call"], ARCHITECTURES[row["architecture"]],
            list(Tier)[row["tier"]].value, row["parameters"] * 4 + 2_000, row["parameters"],
            list(Licence)[row["licence"]].value, f"{row['latency']:.6f}", metric, f"{value:.6f}",
            f"{-value if is_error else value:.6f}", is_share, uuid.UUID(int=row["dataset"]),
            dataset, dataset.capitalize(),
            list(Validation.Certificate)[min(4, int(6 * (1 - row["merit"])))].value,
            EPOCH + datetime.timedelta(seconds=DAYS * 86_400 - row["age"]),
            self.vector(name, author, category.value, spoken),
            int(row["ratings"] * (2 + 3 * row["merit"])), row["ratings"], row["downloads"],
            row["downloads"] // 60, row["downloads"] // 15, f"{row['downloads'] / 90:.4f}",
        ]  # fmt: skip
        return "\t".join(map(str, cells)) + "\n"

    def vector(self, name: list[str], author: str, category: str, spoken: list[int]) -> str:
        stems = self.stems
        parts = [f"'{stems[word]}':{place}A" for place, word in enumerate(name, 1)]
        parts += [f"'{author}':4B", f"'{category}':5C"]
        words = self.words
        parts += [f"'{stems[words[word]]}':{place}" for place, word in enumerate(spoken, 6)]
        return " ".join(parts)


COPIED = """template_id, slug, name, summary, owner_id, author, category, plan,
price_microcredits, call_price_microcredits, architecture, tier, size_bytes, parameters, licence,
latency_p50_ms, metric, value, goodness, is_share, dataset_id, dataset_slug, dataset_name,
certificate, published_at, words, rating_sum, rating_count, downloads, downloads_7_days,
downloads_30_days, trend"""


def stems_of(words: list[str]) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, coalesce((tsvector_to_array(to_tsvector('english', word)))[1], word)"
            " FROM unnest(%s::text[]) AS word",
            [words],
        )
        return dict(cursor.fetchall())


def make_tables() -> list[str]:
    """Empty tables like the site's, without their indexes: those are made when the rows are there,
    by the statements that are returned.
    """
    later = []
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        for table in TABLES:
            cursor.execute(
                f"CREATE UNLOGGED TABLE {SCHEMA}.{table}"
                f" (LIKE public.{table} INCLUDING ALL EXCLUDING INDEXES)"
            )
            cursor.execute(
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = %s",
                [table],
            )
            later += [
                definition.replace(f" ON public.{table}", f" ON {SCHEMA}.{table}")
                for (definition,) in cursor.fetchall()
            ]
    with asked_there():
        Overview.objects.create()
    return later


def drop() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def are_there() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{SCHEMA}.{TABLES[0]}"])
        return bool(cursor.fetchone()[0])


def copy_rows(rows: int, seed: int) -> Iterator[int]:
    """Write so many rows; yields how many are written."""
    inventor = Inventor(seed)
    connection.ensure_connection()
    written = 0
    with connection.connection.cursor().copy(
        f"COPY {SCHEMA}.{Listing._meta.db_table} ({COPIED}) FROM STDIN"
    ) as target:
        while written < rows:
            count = min(CHUNK, rows - written)
            target.write(inventor.copied(count))
            written += count
            yield written


def make_indexes(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '256MB'")
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def asked_there() -> Iterator[None]:
    """Inside the block this connection reads the invented tables in place of the site's."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path = {SCHEMA}, public")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET search_path")
