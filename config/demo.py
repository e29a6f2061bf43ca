"""The people of the demonstration and the path they walk, through the services every door calls.

alice trains, publishes and earns; bob buys, deploys and predicts; judy moderates. Their credits
come from the issuing account with the reason named. `seed` fills an empty catalogue with this,
`quickstart` shows it in a terminal.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.crypto import get_random_string

from billing import services as billing
from governance import services as governance
from governance.models import Role, User
from marketplace import services as marketplace
from marketplace.models import Deployment, Plan, Purchase, Template
from training import services as training
from training.models import Category, Dataset, Job, Model, Tier, Validation, Work

PASSWORD = "real-numbers"  # noqa: S105  # printed at start-up; the accounts exist where DEMO is on
NAME = "Digit reader"
SUMMARY = "Reads handwritten digits of 8 × 8 pixels in microseconds."
DESCRIPTION = """\
A small network for **handwritten digits**: 64 inputs, 128 hidden units, 10 classes.

## What it is good for
Single digits, scanned and reduced to 8 × 8 pixels with values from 0 to 16, one digit a picture.

## Where it fails
It has never seen letters, several digits at once, or white ink on black paper, and it will name
a digit all the same. Look at the confidence: a low one means it does not know.
"""
CARD = {
    "licence": "Apache-2.0",
    "intended_use": "Reading single handwritten digits that were scanned to 8 × 8 pixels.",
    "limits": "It has seen no letters, no two digits at once and no white ink on black paper, and "
    "names a digit all the same.",
    "ethics": "A digit read wrongly in a sum of money or a date harms who wrote it; have a person "
    "look at every answer of low confidence.",
}
PRICE_MICROCREDITS = 15_000_000
CALL_PRICE_MICROCREDITS = 1_000
PURSE_MICROCREDITS = 50_000_000
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 300.0

Progress = Callable[[str, float], None]


class StepFailed(Exception):
    """A step of the path did not end as it should; the text says which and why."""


@dataclass(frozen=True)
class People:
    author: User
    buyer: User
    moderator: User


def prepare_database() -> None:
    """Bring an empty or older database up to date; quick when it is."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)


@transaction.atomic
def person(name: str) -> User:
    """A demonstration account with a confirmed address and enough credits for a walk."""
    user, created = User.objects.get_or_create(
        username=name, defaults={"email": f"{name}@example.org"}
    )
    if user.email != f"{name}@example.org":
        raise StepFailed(f"{name}: somebody else has this name here; switch DEMO off.")
    if created:
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        billing.welcome(user=user)
    if billing.available_microcredits(user) < PURSE_MICROCREDITS:
        billing.issue(
            user=user,
            amount_microcredits=PURSE_MICROCREDITS,
            reason="Credits of the demonstration",
            key=f"demo/{user.pk}/{get_random_string(20)}",
            promotional=True,
        )
    return user


def people() -> People:
    cast = People(author=person("alice"), buyer=person("bob"), moderator=person("judy"))
    governance.grant_role(actor=None, user=cast.moderator, role=Role.MODERATOR)
    return cast


def until_over(work: Work, step: str, progress: Progress) -> None:
    """Wait for a worker to finish; its own fault is ours to report."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not work.is_over:
        if time.monotonic() > give_up_at:
            raise StepFailed(f"{step}: no worker finished it within {PATIENCE_SECONDS:.0f} s.")
        time.sleep(POLL_SECONDS)
        work.refresh_from_db()
        progress(step, work.progress if isinstance(work, Job) else 0.0)
    if work.status != Work.Status.DONE:
        raise StepFailed(f"{step}: {work.error_message or work.get_status_display()}")


def dataset(progress: Progress) -> Dataset:
    digits = training.add_bundled_dataset(slug="digits")
    until_over(digits, "Reading the digits", progress)
    return digits


def train(*, owner: User, data: Dataset, seed: int, progress: Progress) -> Model:
    job = training.submit_job(
        owner=owner,
        dataset=data,
        config=training.PRESETS["digits"],
        tier=Tier.NANO,
        seed=seed,
        name=NAME,
    )
    until_over(job, "Training", progress)
    return Model.objects.select_related("job").get(job=job)


def validate(*, owner: User, model: Model, progress: Progress) -> Validation:
    """Wait for the validation that follows training, which `validate_model` finds."""
    validation = model.validations.first() or training.validate_model(actor=owner, model=model)
    until_over(validation, "Validating", progress)
    return validation


def publish(*, owner: User, moderator: User, model: Model) -> Template:
    if training.card_of(model=model).licence_fixed_at is None:
        training.document_model(actor=owner, model=model, **CARD)
    template = marketplace.publish_template(
        owner=owner,
        model=model,
        name=NAME,
        summary=SUMMARY,
        description=DESCRIPTION,
        category=Category.VISION,
        plan=Plan.STANDARD,
        price_microcredits=PRICE_MICROCREDITS,
        call_price_microcredits=CALL_PRICE_MICROCREDITS,
    )
    return marketplace.approve_template(
        actor=moderator, template=template, note="Measured, described, reproducible."
    )


def predict(*, user: User, deployment: Deployment, data: Dataset) -> dict[str, Any]:
    """Ask the deployment about the first row that no training has read."""
    row = training.preview_rows(dataset=data, count=1, part=training.Part.TEST)[0]
    answer = marketplace.predict(
        user=user, deployment=deployment, rows=[row.values], event_id=uuid.uuid4()
    )
    marketplace.write_statistics()  # a command's database may end before its process does
    found = answer.predictions[0]
    return {
        "row": row.number,
        "expected": row.label,
        "label": found.label,
        "confidence": found.confidence,
    }


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Everything that happened on the way."""

    dataset: Dataset
    model: Model
    validation: Validation
    template: Template
    purchase: Purchase
    deployment: Deployment
    prediction: dict[str, Any]
    faults: list[str]


def walk(*, seed: int, progress: Progress) -> Walk:
    """The main job from data to a paid prediction."""
    cast = people()
    data = dataset(progress)
    model = train(owner=cast.author, data=data, seed=seed, progress=progress)
    validation = validate(owner=cast.author, model=model, progress=progress)
    progress("Publishing", 0.0)
    template = publish(owner=cast.author, moderator=cast.moderator, model=model)
    progress("Selling", 0.0)
    purchase = marketplace.buy_template(buyer=cast.buyer, template=template)
    deployment = marketplace.deploy_template(owner=cast.buyer, template=template)
    progress("Predicting", 0.0)
    prediction = predict(user=cast.buyer, deployment=deployment, data=data)
    billing.settle_usage()
    return Walk(
        dataset=data,
        model=model,
        validation=validation,
        template=template,
        purchase=purchase,
        deployment=deployment,
        prediction=prediction,
        faults=billing.ledger_faults(),
    )
