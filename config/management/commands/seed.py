"""Fills a new installation: the demonstration's people, their data, and a first template.

Safe to repeat: what is there stays as it is. Where DEMO is off only the bundled data is added.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config import demo, worker
from governance.services import Refusal
from marketplace.models import Template
from training import services as training


def quietly(step: str, share: float) -> None:
    """The log of the worker has the steps; a start-up needs no bar."""


class Command(BaseCommand):
    help = "Add the bundled data and, where DEMO is on, demonstration accounts and a template."

    def handle(self, *args: Any, **options: Any) -> None:
        demo.prepare_database()
        training.add_bundled_datasets()
        training.study_patterns()
        if not settings.DEMO:
            return
        try:
            cast = demo.people()
            if not Template.objects.public().exists():
                self.stdout.write("Training the first model of the catalogue …")
                with worker.at_work():
                    data = demo.dataset(quietly)
                    model = demo.train(owner=cast.author, data=data, seed=0, progress=quietly)
                    demo.validate(owner=cast.author, model=model, progress=quietly)
                    demo.publish(owner=cast.author, moderator=cast.moderator, model=model)
        except (demo.StepFailed, Refusal, worker.WorkerFailed) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Demonstration accounts, all with the password {demo.PASSWORD}:\n"
            "  alice  trains and sells    bob  buys and predicts    judy  moderates, at /admin/"
        )
