"""The site's wiring: settings, URLs, the work queue, errors, and the embedded parts it starts.

The only package that knows all apps. It imports the Celery application so that `shared_task`
finds it in every process.
"""

from config.celery import app as celery_app

__all__ = ["celery_app"]
