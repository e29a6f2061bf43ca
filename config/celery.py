"""The Celery application and, as one table, everything that runs by the clock.

The database is the truth and a message only a hint: an entry here finds what a lost message left
behind, so an emptied broker is a delay and never a loss, or forgets what was kept for long enough.
"""

import os

from celery import Celery
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("marketplace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "hint jobs that wait or whose worker died": {
        "task": "training.tasks.hint_waiting_jobs",
        "schedule": 5.0,
    },
    "hint contributions to rounds that wait or whose worker died": {
        "task": "clusters.tasks.hint_waiting_contributions",
        "schedule": 5.0,
    },
    "forget checkpoints of jobs that are over": {
        "task": "training.tasks.forget_checkpoints",
        "schedule": 600.0,
    },
    "forget files of rounds that nobody asks": {
        "task": "clusters.tasks.forget_files",
        "schedule": 600.0,
    },
    "forget answers to old idempotency keys": {
        "task": "governance.tasks.forget_answers",
        "schedule": 3600.0,
    },
    "settle the use of deployments": {
        "task": "billing.tasks.settle_usage",
        "schedule": 15.0,
    },
}
