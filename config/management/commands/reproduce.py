"""Makes a model again and says whether the same came out, to the last bit.

The same operation as the button on the model's page: a job like any other, paid by who asks. A
worker that runs does it; where none does, one is started for as long as it takes.
"""

import json
import sys
import time
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from billing import services as billing
from config import worker
from governance.models import User
from governance.services import Refusal
from training import services as training
from training.models import Model, Reproduction, Work

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 6 * 3_600.0  # the longest that a tier computes


class Command(BaseCommand):
    help = "Train a model again from the same rows, configuration, seed and kernel, and compare."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="its id, as its page's address has it")
        parser.add_argument("--user", help="who asks and pays; else the model's owner")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object, nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        model = find_model(options["model"])
        actor = find_user(options["user"]) if options["user"] else model.owner
        console = Console(stderr=True, quiet=options["json"])
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        try:
            with worker.at_work(), Progress(*columns, console=console) as bar:
                quote = training.quote_reproduction(model=model)
                task = bar.add_task(f"At most {quote.credits} credits", total=1.0)
                reproduction = training.reproduce_model(actor=actor, model=model)
                follow(reproduction, lambda share: bar.update(task, completed=share))
        except (Refusal, worker.WorkerFailed) as error:
            raise CommandError(str(error)) from error
        found = report(reproduction)
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            Console(file=sys.stdout).print(summary(found))
        if not found["is_identical"]:
            raise CommandError(found["error"] or "What came out is not the same.")


def find_model(text: str) -> Model:
    try:
        found = Model.objects.filter(pk=uuid.UUID(text)).first()
    except ValueError as error:
        raise CommandError(f"model: {text!r} is no id; take it from the page's address.") from error
    if found is None:
        raise CommandError(f"model: there is no model {text}.")
    return found


def find_user(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise CommandError(f"--user: there is nobody called {name!r}.")
    return found


def follow(reproduction: Reproduction, progress: Any) -> None:
    """Wait until there is an answer."""
    begun_at = time.monotonic()
    while not reproduction.is_over:
        if time.monotonic() - begun_at > PATIENCE_SECONDS:
            raise CommandError(f"No answer within {PATIENCE_SECONDS / 3_600:.0f} h; is it queued?")
        time.sleep(POLL_SECONDS)
        reproduction.refresh_from_db()
        reproduction.job.refresh_from_db()
        progress(reproduction.job.progress)


def report(reproduction: Reproduction) -> dict[str, Any]:
    model, job = reproduction.model, reproduction.job
    return {
        "model": str(model.pk),
        "reproduction": str(reproduction.pk),
        "status": reproduction.status,
        "is_identical": reproduction.is_identical,
        "weights_sha256": model.weights_sha256,
        "weights_sha256_again": reproduction.weights_sha256,
        "kernel_hash": model.kernel_hash,
        "dataset_sha256": job.dataset.sha256,
        "seed": job.seed,
        "compared": [one["name"] for one in reproduction.comparisons],
        "differences": reproduction.differences,
        "cost_credits": float(billing.credits(job.cost_microcredits)),
        "seconds": job.compute_seconds,
        "error": reproduction.error_message,
    }


def summary(found: dict[str, Any]) -> Table:
    answer = {True: "identical", False: "different", None: found["status"]}[found["is_identical"]]
    table = Table(title=f"Made again: {answer}", show_header=False, title_justify="left")
    table.add_row("Weights", found["weights_sha256"])
    table.add_row("Again", found["weights_sha256_again"] or Work.Status(found["status"]).label)
    table.add_row("Compared", ", ".join(found["compared"]))
    for one in found["differences"]:
        table.add_row(f"Differs: {one['name']}", f"{one['expected']} became {one['found']}")
    table.add_row("Cost", f"{found['cost_credits']} credits, {found['seconds']:.2f} s of compute")
    return table
