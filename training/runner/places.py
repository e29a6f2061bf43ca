"""Where in line a queued job stands, from a count for each person and not from the line itself.

`queue.line` says who goes first by looking at every job that waits; the place of one job is asked
for twice a second by every page that shows it. Of each person only as many jobs stand in line as
may begin, and those in the order of their turns: so before a job stand, of each person, those whose
turn is earlier, and no more than may begin.

So the rules of `queue.line` and `plans.plans_of` stand here once more, in SQL.
`test_the_place_told_is_the_place_in_line_whoever_waits` asks both over queues that it draws.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from training.models import Job, Work
from training.runner.plans import FREE, PAYING, PAYING_KINDS
from training.runner.queue import HEAD_START, REMEMBERED

# A job's turn is that of `queue.waiting`, and the room of its payer what `queue.line` leaves them.
# Whoever has something queued is found by leaping from one to the next (queued_jobs), and of the
# jobs of each no more are looked at than there is room for.
PLACE = """
    WITH RECURSIVE waiting AS (
        (SELECT payer_id FROM training_job WHERE NOT is_distributed AND status = 'queued'
         ORDER BY payer_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT payer_id FROM training_job
            WHERE NOT is_distributed AND status = 'queued' AND payer_id > waiting.payer_id
            ORDER BY payer_id LIMIT 1
        ) FROM waiting WHERE payer_id IS NOT NULL
    ), served AS (
        SELECT payer_id, max(greatest(job.started_at, job.finished_at, saved.created_at)) AS at
        FROM training_job job LEFT JOIN training_checkpoint saved ON saved.job_id = job.id
        WHERE NOT is_distributed AND (
            status IN ('leased', 'running')
            OR finished_at > statement_timestamp() - %(remembered)s
        ) GROUP BY payer_id
    ), begun AS (
        SELECT payer_id, count(*) AS jobs FROM training_job
        WHERE NOT is_distributed AND status IN ('leased', 'running') GROUP BY payer_id
    ), people AS (
        SELECT payer_id, at, may_run, greatest(may_run - coalesce(jobs, 0), 0) AS room
        FROM waiting LEFT JOIN served USING (payer_id) LEFT JOIN begun USING (payer_id), LATERAL (
            SELECT CASE WHEN EXISTS (
                SELECT FROM billing_leg JOIN billing_account account ON account.id = account_id
                WHERE account.owner_id = waiting.payer_id AND kind = ANY(%(paying_kinds)s)
                    AND amount_microcredits > 0
            ) THEN %(paying)s ELSE %(free)s END AS may_run
        ) plan
    ), this AS (
        SELECT greatest(created_at, at) - priority * %(head_start)s AS turn, created_at, id
        FROM training_job JOIN people USING (payer_id) WHERE id = %(job)s
    ), counted AS (
        SELECT payer_id, may_run, room, (
            SELECT count(*) FROM (
                SELECT FROM training_job job
                WHERE NOT is_distributed AND status = 'queued' AND job.payer_id = people.payer_id
                LIMIT room
            ) first
        ) AS all_first, (
            SELECT count(*) FROM (
                SELECT FROM training_job job
                WHERE NOT is_distributed AND status = 'queued' AND job.payer_id = people.payer_id
                    AND (greatest(created_at, at) - priority * %(head_start)s, created_at, id)
                        < (SELECT turn, created_at, id FROM this)
                LIMIT room
            ) first
        ) AS first
        FROM people WHERE room > 0 OR payer_id = %(payer)s
    )
    SELECT own.first >= own.room, own.may_run,
        sum(CASE WHEN own.first >= own.room THEN counted.all_first ELSE counted.first END)
    FROM counted own, counted WHERE own.payer_id = %(payer)s
    GROUP BY own.first, own.room, own.may_run
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job that has not begun stands: after how many others, or held back by its payer's."""

    ahead: int
    is_held_back: bool
    running_jobs: int


def place_of(job: Job) -> Place | None:
    """Nothing for a job that has begun, or that a cluster leads."""
    if job.status != Work.Status.QUEUED or job.is_distributed:
        return None
    asked: dict[str, Any] = {
        "job": job.pk,
        "payer": job.payer_id,
        "remembered": REMEMBERED,
        "head_start": HEAD_START,
        "paying_kinds": list(PAYING_KINDS),
        "paying": PAYING.running_jobs,
        "free": FREE.running_jobs,
    }
    with connection.cursor() as cursor:
        cursor.execute(PLACE, asked)
        found = cursor.fetchone()
    if found is None:  # it began a moment ago, and nothing else of its payer's waits
        return None
    is_held_back, running_jobs, ahead = found
    return Place(ahead=int(ahead), is_held_back=is_held_back, running_jobs=running_jobs)
