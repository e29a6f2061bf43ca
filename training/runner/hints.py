"""Wakes a worker by the name of a task, once the transaction is committed.

By name, so that the web process never imports what only workers need (scikit-learn takes a second
and 150 MB). A hint may get lost; the sweep `hint_waiting_jobs` gives it again.
"""

from celery import current_app
from django.db import transaction


def hint(task: str, **ids: str) -> None:
    """Send the task of this name when the current transaction commits."""

    def send() -> None:  # a partial has no name, and Django names what a broker refused
        current_app.send_task(task, kwargs=ids)

    transaction.on_commit(send, robust=True)
