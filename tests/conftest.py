"""Starts the database and the broker for the tests, and introduces the people in them."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache, partial
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
import uvicorn
from allauth.account.models import EmailAddress
from celery import current_app
from django.conf import settings
from django.core.management.commands import flush
from django.db import connection, transaction
from django.db.backends.postgresql.operations import DatabaseOperations

from billing import services as billing
from config import embedded
from governance import services as governance
from governance.models import Role, User
from marketplace import services as marketplace
from marketplace.models import Plan, Template
from tests import migrated, workers
from training import services as training
from training.models import Category, Dataset, Job, Model, Tier, Validation
from training.runner import chunks, datasets, leases, validations
from training.runner.subjects import Subject

PARTS = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start what the environment does not name, once: the workers of xdist share the controller's.

    The hooks, and not a fixture, since only the controller outlives all workers.
    """
    config.stash[PARTS] = ExitStack()
    if not hasattr(config, "workerinput"):
        config.stash[PARTS].enter_context(embedded.parts(settings.DATA_DIR))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[PARTS].close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix) -> None:
    connection.settings_dict["TEST"]["TEMPLATE"] = migrated.database()


# The ledger and the audit trail refuse even this: for it alone the triggers are switched off, as
# only a superuser of the database can. Most tables are empty already, which TRUNCATE does not ask:
# it would give each of them, and each of their indexes, a new file.
EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN
        ('django_migrations', 'django_content_type', 'auth_permission') LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$
"""


@pytest.fixture(scope="session", autouse=True)
def _emptied_without_triggers() -> Iterator[None]:
    """Let `transactional_db` empty its tables, but for what migrations leave in every database."""

    def delete_rows(operations: DatabaseOperations, statements: list[str]) -> None:
        with operations.connection.cursor() as cursor:
            cursor.execute(EMPTY)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", delete_rows)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *args, **options: None)
        yield


@pytest.fixture
def start_worker(transactional_db, tmp_path, request):
    """Starts Celery workers on the database and broker of the tests, beside a clock of their own.
    A test may change settings of theirs, as its parameter.

    The clock is a process of its own, as it is in production: who kills a worker leaves it running.
    """
    started = []
    environment = {
        "DATABASE_URL": migrated.database_url(connection.settings_dict["NAME"]),
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "TRAINING_CHUNK_SECONDS": "0.3",
        "TRAINING_LEASE_SECONDS": "2",
        "TRAINING_SWEEP_SECONDS": "0.5",
        "LOG_LEVEL": "WARNING",
    }

    def start(*command: str) -> BaseProcess:
        changed = getattr(request, "param", {})
        started.append(workers.start(*command, environment=environment, changed=changed))
        return started[-1]

    start("beat", "--pidfile=", "-s", str(tmp_path / "schedule"))
    yield partial(start, "worker", "-c", "2")
    for process in started:
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
    empty_queues()


@pytest.fixture
def served(transactional_db) -> Iterator[str]:
    """The address of the site as people have it: under uvicorn, with what stands before Django."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # who comes before it is ready waits
        server = uvicorn.Server(
            uvicorn.Config("config.asgi:application", lifespan="on", log_config=None)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield "http://{}:{}".format(*listener.getsockname())
        server.should_exit = True
        thread.join()


def empty_queues() -> None:
    """Lose every message that no worker has taken yet."""
    with current_app.connection_for_write() as broker:
        for queue in settings.CELERY_TASK_QUEUES:
            bound = queue(broker.default_channel)
            bound.declare()
            bound.purge()


# The cast


def person(name: str) -> User:
    """Somebody who signed up, confirmed an address and got the welcome credits."""
    user = User.objects.create_user(name, f"{name}@example.com", "a good password")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    billing.welcome(user=user)
    return user


@pytest.fixture
def alice(db, request) -> User:
    """Trains and publishes."""
    return User.objects.get(username="alice") if is_trained(request) else person("alice")


@pytest.fixture
def bob(db) -> User:
    """Buys, deploys and predicts."""
    return person("bob")


@pytest.fixture
def mallory(db) -> User:
    """Wants what is not hers."""
    return person("mallory")


@pytest.fixture
def judy(db, request) -> User:
    """Moderates."""
    return User.objects.get(username="judy") if is_trained(request) else moderator("judy")


def moderator(name: str) -> User:
    made = person(name)
    governance.grant_role(actor=None, user=made, role=Role.MODERATOR)
    made.refresh_from_db()
    return made


# What they work with. Made by the services and the runner, as everything is.

SMALL = {
    "architecture": {
        "type": "feedforward",
        "layers": [
            {"type": "input", "params": {"size": 64}},
            {"type": "hidden", "params": {"size": 32, "activation": "relu"}},
            {"type": "output", "params": {"size": 10, "activation": "softmax"}},
        ],
    },
    "training": {"epochs": 12, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"},
}


CARD = {
    "licence": "Apache-2.0",
    "intended_use": "Reading single digits.",
    "limits": "It knows no letters.",
    "ethics": "A person looks at unsure answers.",
}


@cache
def digits_read() -> datasets.Read:
    return datasets.read_bundle("digits", 0)


@pytest.fixture
def digits(db, request) -> Dataset:
    """1,797 handwritten digits, split; read once for all tests."""
    return Dataset.objects.get() if is_trained(request) else added_digits()


def added_digits() -> Dataset:
    digits = training.add_bundled_dataset(slug="digits")
    datasets.store(leases.claim(Dataset, str(digits.pk)), digits_read())
    digits.refresh_from_db()
    return digits


@pytest.fixture
def job(alice: User, digits: Dataset, request) -> Job:
    """A small job of alice's that nobody has taken yet."""
    return Job.objects.get() if is_trained(request) else submitted(alice, digits)


def submitted(alice: User, digits: Dataset) -> Job:
    return training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO, seed=1)


@pytest.fixture
def trained(job: Job, request) -> Model:
    """alice's model as its training left it; its validation waits."""
    if not is_trained(request):
        chunks.run_turn()
    return Model.objects.get(job=job)


FOUND: dict[str, dict[str, Any]] = {}


def found_once(validation: Validation, subject: Subject) -> dict[str, Any]:
    """What is found of the same weights is found once for all tests, since it takes most of a
    second; the scan is of this file, which names its own job.
    """
    weights = validation.model.weights_sha256
    if weights not in FOUND:
        FOUND[weights] = validations.collect(validation, subject)
    scan = validations.scan_file(validation, subject)["report"]
    return FOUND[weights] | {"report": FOUND[weights]["report"] | scan}


@pytest.fixture
def measured(trained: Model, request) -> None:
    """Gives it every figure, as a worker does."""
    if not is_published(request):
        measure(trained)


def measure(trained: Model) -> None:
    validation_id = str(trained.validations.get().pk)
    leases.do(Validation, validation_id, partial(validations.measure, collecting=found_once))


@pytest.fixture
def model(trained: Model, measured: None, request) -> Model:
    """alice's model, trained, measured and described."""
    if not is_published(request):
        training.document_model(actor=trained.owner, model=trained, **CARD)
    return trained


@pytest.fixture
def template(alice: User, judy: User, model: Model, request) -> Template:
    """alice's template, approved by judy, for 15 credits."""
    return (
        Template.objects.get(slug="digit-reader")
        if is_published(request)
        else published(alice, judy, model)
    )


def published(alice: User, judy: User, model: Model) -> Template:
    template = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Digit reader",
        description="Reads **digits**.",
        category=Category.VISION,
        plan=Plan.STANDARD,
        price_microcredits=15_000_000,
        call_price_microcredits=1_000,
    )
    return marketplace.approve_template(actor=judy, template=template)


# Made once for a module


@pytest.fixture(scope="module")
def shared_training(django_db_setup, django_db_blocker) -> Iterator[Model]:
    """alice, judy, and alice's model as its training left it, made once for a module that says
    `usefixtures("shared_training")`. Each test then undoes only what it did itself, so none of the
    module may be transactional, and all of it is there also for those that ask for less.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        alice, _ = person("alice"), moderator("judy")
        submitted(alice, added_digits())
        chunks.run_turn()
        yield Model.objects.get()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def shared_template(shared_training) -> None:
    """The same with the template, measured, described and approved."""
    model = shared_training
    measure(model)
    training.document_model(actor=model.owner, model=model, **CARD)
    published(model.owner, User.objects.get(username="judy"), model)


def is_trained(request: pytest.FixtureRequest) -> bool:
    """Whether the test's module shares as much."""
    return "shared_training" in request.fixturenames or is_published(request)


def is_published(request: pytest.FixtureRequest) -> bool:
    return "shared_template" in request.fixturenames
