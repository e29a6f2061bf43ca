"""What keeps the listings right by the clock, beside the trigger that follows their templates.

`repair` finds what no trigger saw (a person or a dataset was renamed, a row was damaged) and mends
it. `count` writes what people did; purchases are one per person, so each person counts once.
`sample` and `learn` make what counting and spelling look at.
"""

import datetime

from django.db import connection, transaction
from django.db.models.functions import Now

from marketplace.models import Listing, Overview, Sampled, Template, Word
from marketplace.models.listings import AGES
from marketplace.runner.counting import SAMPLE_FROM, SAMPLE_ROWS

BATCH = 5_000
MARGIN = datetime.timedelta(minutes=5)  # a transaction that began before may commit after
HALF_LIFE_DAYS = 2

# Each person once per template, when they last took it: by buying it, or its files.
COUNT = """
WITH person AS (
    SELECT template_id, person, extract(epoch FROM now() - max(at)) / 86400 AS days FROM (
        SELECT template_id, buyer_id AS person, at FROM marketplace_purchase
        UNION ALL SELECT template_id, user_id, day::timestamptz FROM marketplace_download
    ) took GROUP BY template_id, person
),
took AS (
    SELECT template_id, count(*)::int AS downloads,
        count(*) FILTER (WHERE days < 7)::int AS week,
        count(*) FILTER (WHERE days < 30)::int AS month,
        coalesce(sum(power(0.5, days / %s)) FILTER (WHERE days < 7), 0)::float8 AS trend
    FROM person GROUP BY template_id
),
rated AS (
    SELECT template_id, sum(rating)::int AS stars, count(*)::int AS reviews
    FROM marketplace_review WHERE held_at IS NULL AND hidden_at IS NULL GROUP BY template_id
),
counted AS (
    SELECT l.template_id, coalesce(t.downloads, 0) AS downloads, coalesce(t.week, 0) AS week,
        coalesce(t.month, 0) AS month, coalesce(t.trend, 0) AS trend,
        coalesce(r.stars, 0) AS stars, coalesce(r.reviews, 0) AS reviews
    FROM {listing} l LEFT JOIN took t USING (template_id) LEFT JOIN rated r USING (template_id)
)
UPDATE {listing} l SET
    downloads = c.downloads, downloads_7_days = c.week, downloads_30_days = c.month,
    trend = c.trend, rating_sum = c.stars, rating_count = c.reviews
FROM counted c WHERE c.template_id = l.template_id
AND (l.downloads, l.downloads_7_days, l.downloads_30_days, l.trend, l.rating_sum, l.rating_count)
    IS DISTINCT FROM (c.downloads, c.week, c.month, c.trend, c.stars, c.reviews)
"""
SAMPLE = """
INSERT INTO {sampled} ({columns}, place)
SELECT {columns}, row_number() OVER (ORDER BY template_id) - 1 FROM {listing}
ORDER BY template_id LIMIT %s
"""
FACETS = """
SELECT token, rows FROM (
    SELECT token, rows, row_number() OVER (
        PARTITION BY split_part(token, ':', 1) ORDER BY rows DESC, token
    ) AS place
    FROM (
        SELECT token, count(*) AS rows FROM {listing} CROSS JOIN LATERAL unnest(
            tokens || ('published:'
            || width_bucket(extract(epoch FROM now() - published_at) / 86400, %s))
        ) AS token GROUP BY token
    ) said
) placed WHERE place <= 12
"""
LEARN = """
INSERT INTO {word} (word, listings)
SELECT word, count(*) FROM {listing} l
CROSS JOIN LATERAL unnest(tsvector_to_array(
    to_tsvector('simple', l.name || ' ' || l.summary || ' ' || l.author || ' ' || l.dataset_name)
)) AS word
WHERE l.changed_at > %s AND length(word) BETWEEN 3 AND 40 AND word ~ '^[[:alpha:]]+$'
GROUP BY word ORDER BY word
ON CONFLICT (word) DO UPDATE SET listings = {word}.listings + EXCLUDED.listings
"""
TABLES = {
    "listing": Listing._meta.db_table,
    "sampled": Sampled._meta.db_table,
    "word": Word._meta.db_table,
}
COLUMNS = ", ".join(field.column for field in Listing._meta.concrete_fields if not field.generated)


def repair() -> None:
    """Make every listing what it should be; what is right is not written."""
    with connection.cursor() as cursor:
        last = None
        while True:
            rows = Template.objects.filter(pk__gt=last) if last else Template.objects.all()
            ids = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
            if not ids:
                return
            cursor.execute("SELECT marketplace_list(%s::uuid[])", [ids])
            last = ids[-1]


def count() -> None:
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(**TABLES), [HALF_LIFE_DAYS])


@transaction.atomic
def sample(*, beyond: int = SAMPLE_FROM, rows: int = SAMPLE_ROWS) -> None:
    """How many there are; where they are many, some of them, and what all facets say."""
    listings, facets, sampled = Listing.objects.count(), [], 0
    Sampled.objects.all()._raw_delete("default")
    with connection.cursor() as cursor:
        if listings > beyond:
            cursor.execute(SAMPLE.format(columns=COLUMNS, **TABLES), [rows])
            sampled = cursor.rowcount
            cursor.execute(FACETS.format(**TABLES), [list(AGES)])
            facets = [*cursor.fetchall(), ("", listings)]
    found = {"listings": listings, "sampled": sampled, "facets": facets, "counted_at": Now()}
    Overview.objects.update_or_create(pk=1, defaults=found)


@transaction.atomic
def learn() -> None:
    """The words that listings are spelled with, of those that changed since the last time. How
    often each is used is counted anew for a listing that changed, and decides between equals only.
    """
    overview, _ = Overview.objects.select_for_update().get_or_create(pk=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
        cursor.execute(LEARN.format(**TABLES), [overview.learned_at])
    Overview.objects.update(learned_at=now - MARGIN)
