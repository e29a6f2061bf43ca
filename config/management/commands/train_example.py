"""Trains the examples of a category, validates them, and says whether they reached their floors."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from config import demo, examples, worker
from config.demo import StepFailed
from governance.services import Refusal
from training import services as training
from training.models import Category

CATEGORIES = [
    category.value
    for category in Category
    if any(preset.category == category for preset in training.ALL_PRESETS)
]


WIDTH = 120  # of a table that goes into a file


def summary(found: list[dict[str, Any]]) -> Table:
    """What came of each example, as a person would want to read it."""
    columns = ("Example", "Seconds", "Credits", "Figure", "Measured", "Floor", "Without", "Reached")
    table = Table(*columns, title="Examples", title_justify="left")
    for each in found:
        cost = (f"{each['seconds']:.1f}", f"{each['cost_credits']:.2f} ({each['tier']})")
        if not each["floors"]:
            table.add_row(each["example"], *cost)
        for floor in each["floors"]:
            sign = "<" if floor["lower_is_better"] else "≥"
            without = "" if floor["baseline"] is None else f"{floor['baseline']:.4f}"
            reached = "yes" if floor["is_reached"] else "NO"
            measured = (floor["metric"], f"{floor['value']:.4f}", f"{sign} {floor['floor']:.4g}")
            table.add_row(each["example"], *cost, *measured, without, reached)
        if simple := each["words_baseline"]:
            table.add_row(f"  {simple['name']}", "", "", "accuracy", f"{simple['accuracy']:.4f}")
        if "is_identical" in each:
            same = "the same weights twice" if each["is_identical"] else "OTHER weights at last"
            table.add_row(f"  {same}")
    return table


class Command(BaseCommand):
    help = "Train a category's examples on bundled data; measure them on rows they never saw."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("category", choices=CATEGORIES)
        parser.add_argument("--only", default="", metavar="SLUG", help="one example, by its name")
        parser.add_argument("--seed", type=int, default=0, help="floors are set for seed 0")
        parser.add_argument("--twice", action="store_true", help="and again: the same weights?")
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object, nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("DEMO is off here; examples use the demonstration's accounts.")
        try:
            found = self.train(options)
        except (StepFailed, Refusal, worker.WorkerFailed) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"category": options["category"], "examples": found}))
        else:
            width = None if sys.stdout.isatty() else WIDTH
            Console(file=sys.stdout, width=width).print(summary(found))
        missed = [f"{each['example']}: {fault}" for each in found for fault in each["faults"]]
        if missed:
            raise CommandError(f"These fell short. {'; '.join(missed)}.")

    def train(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        chosen = examples.choose(category=options["category"], only=options["only"])
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        console = Console(stderr=True, quiet=options["json"])
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("Starting", total=1.0)
            demo.prepare_database()

            def progress(step: str, share: float) -> None:
                bar.update(task, description=step, completed=share)

            with worker.at_work():
                return [
                    examples.report(
                        examples.train(
                            owner=demo.person("alice"),
                            preset=preset,
                            seed=options["seed"],
                            is_twice=options["twice"],
                            progress=progress,
                        )
                    )
                    for preset in chosen
                ]
