"""The Celery application and, as one table, everything that runs by the clock.

The database is the truth and a message only a hint: an entry here finds what a lost message left
behind, so an emptied broker is a delay and never a loss, or forgets what was kept for long enough.
"""

import os

from celery import Celery
from django.conf import settings
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("marketplace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()


@app.on_after_configure.connect
def set_clock(sender: Celery, **_: object) -> None:
    """When the settings are there, which import this module as they load."""
    sender.conf.beat_schedule = {
        "hint jobs that wait or whose worker died": {
            "task": "training.tasks.hint_waiting_jobs",
            "schedule": settings.TRAINING_SWEEP_SECONDS,
        },
        "hint contributions to rounds that wait or whose worker died": {
            "task": "clusters.tasks.hint_waiting_contributions",
            "schedule": settings.TRAINING_SWEEP_SECONDS,
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
        "hint e-mails that nobody sent": {
            "task": "governance.tasks.hint_unsent_notices",
            "schedule": 60.0,
        },
        "hint webhooks that are due": {
            "task": "governance.tasks.hint_due_webhooks",
            "schedule": 5.0,
        },
        "forget old deliveries of webhooks": {
            "task": "governance.tasks.forget_deliveries",
            "schedule": 600.0,
        },
        "count who took what the catalogue lists": {
            "task": "marketplace.tasks.count_listings",
            "schedule": 300.0,
        },
        "sample the catalogue and learn its words": {
            "task": "marketplace.tasks.sample_listings",
            "schedule": 600.0,
        },
        "repair listings that say something else than their templates": {
            "task": "marketplace.tasks.repair_listings",
            "schedule": 86_400.0,
        },
        "follow new versions where deployments do": {
            "task": "marketplace.tasks.follow_versions",
            "schedule": 15.0,
        },
        "find what is new for saved searches": {
            "task": "marketplace.tasks.sweep_searches",
            "schedule": 60.0,
        },
        "have deployments answer with what was trained for them": {
            "task": "marketplace.tasks.prepare_deployments",
            "schedule": settings.TRAINING_SWEEP_SECONDS,
        },
        "hint batches that wait or whose worker died": {
            "task": "marketplace.tasks.hint_waiting_batches",
            "schedule": settings.TRAINING_SWEEP_SECONDS,
        },
        "forget quotes and files of batches that are over": {
            "task": "marketplace.tasks.forget_batches",
            "schedule": 600.0,
        },
        "forget old statistics of deployments": {
            "task": "marketplace.tasks.forget_statistics",
            "schedule": 600.0,
        },
        "settle the use of deployments": {
            "task": "billing.tasks.settle_usage",
            "schedule": 15.0,
        },
    }
