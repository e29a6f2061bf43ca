"""Walks the main job in a terminal: data, training, validation, sale, deployment, prediction."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from billing import services as billing
from config import demo, worker
from config.demo import StepFailed, Walk
from governance.services import Refusal


def credits(microcredits: int) -> float:
    """Credits as a JSON number; six decimals are exact in it at these sizes."""
    return float(billing.credits(microcredits))


def report(walk: Walk) -> dict[str, Any]:
    job, checked, sale = walk.model.job, walk.validation, walk.purchase
    job.refresh_from_db()
    return {
        "kernel_hash": walk.model.kernel_hash,
        "dataset": {
            "name": walk.dataset.slug,
            "rows": walk.dataset.rows,
            "sha256": walk.dataset.sha256,
        },
        "job": {
            "id": str(job.pk),
            "status": job.status,
            "epochs": job.epochs,
            "steps": job.steps_done,
            "seconds": job.compute_seconds,
            "cost_credits": credits(job.cost_microcredits),
            "weights_sha256": walk.model.weights_sha256,
        },
        "validation": {
            name: getattr(checked, name)
            for name in (
                "accuracy",
                "precision",
                "recall",
                "f1",
                "latency_p50_ms",
                "latency_p95_ms",
                "latency_p99_ms",
                "samples_per_second",
                "model_size_mb",
                "peak_memory_mb",
            )
        },
        "template": {
            "id": str(walk.template.pk),
            "url": settings.SITE_URL + walk.template.get_absolute_url(),
        },
        "sale": {
            "price_credits": credits(sale.price_microcredits),
            "author_credits": credits(sale.author_microcredits),
            "platform_credits": credits(sale.platform_microcredits),
        },
        "deployment": {
            "id": str(walk.deployment.pk),
            "url": settings.SITE_URL + walk.deployment.get_absolute_url(),
        },
        "prediction": walk.prediction,
        "ledger_balanced": not walk.faults,
    }


def summary(found: dict[str, Any]) -> Table:
    """What happened, as a person would want to read it."""
    job, checked, sale, guess = (
        found[name] for name in ("job", "validation", "sale", "prediction")
    )
    table = Table(title="From data to a paid prediction", show_header=False, title_justify="left")
    table.add_row("Data", f"{found['dataset']['rows']:,} rows, {found['dataset']['sha256'][:16]}…")
    table.add_row(
        "Training",
        f"{job['steps']:,} steps in {job['seconds']:.2f} s, {job['cost_credits']} credits",
    )
    table.add_row(
        "Weights", f"{job['weights_sha256'][:16]}… on kernel {found['kernel_hash'][:16]}…"
    )
    table.add_row(
        "Accuracy",
        f"{checked['accuracy']:.2%} on rows it never saw (F1 {checked['f1']:.4f})",
    )
    table.add_row(
        "Latency",
        f"p50 {checked['latency_p50_ms']:.3f} ms, p99 {checked['latency_p99_ms']:.3f} ms, "
        f"{checked['samples_per_second']:,.0f} rows/s in batches",
    )
    table.add_row(
        "Sale",
        f"{sale['price_credits']} credits: {sale['author_credits']} to the author, "
        f"{sale['platform_credits']} to the platform",
    )
    table.add_row(
        "Prediction",
        f"row {guess['row']} is a {guess['expected']}; it says {guess['label']}, "
        f"{guess['confidence']:.1%} sure",
    )
    table.add_row("Ledger", "balanced" if found["ledger_balanced"] else "NOT balanced")
    table.add_row("Pages", f"{found['template']['url']}\n{found['deployment']['url']}")
    return table


class Command(BaseCommand):
    help = "Train, validate, publish, sell, deploy and predict, for real, on handwritten digits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=0, help="other seed, other weights")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object, nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("DEMO is off here; quickstart uses the demonstration's accounts.")
        console = Console(stderr=True, quiet=options["json"])
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        try:
            with Progress(*columns, console=console) as bar:
                task = bar.add_task("Starting", total=1.0)
                demo.prepare_database()

                def progress(step: str, share: float) -> None:
                    bar.update(task, description=step, completed=share)

                with worker.at_work():
                    found = report(demo.walk(seed=options["seed"], progress=progress))
                progress("Done", 1.0)
        except (StepFailed, Refusal, worker.WorkerFailed) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            Console(file=sys.stdout).print(summary(found))
        if not found["ledger_balanced"]:
            raise CommandError("The ledger does not balance; see manage.py check_ledger.")
