"""What is done to a dataset that is there: correct its schema, rename it, delete it.

A schema is a recipe (what each column is and is for) and a split. It says what a person asks for
and leaves the rest open; what a worker measures for it on the rows that train is no part of what
was asked. Corrected, the rows are read again from the file as it was brought: in place while no job
refers to them, and else as the next version of the family, so that what a job was trained on stays
what it was.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import models, transaction
from django.db.models import F

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from kernels.fields import Problem
from training.models import Dataset, Job, Model, Search, Work
from training.runner import sweeps
from training.runner.caps import caps_of
from training.runner.hints import hint
from training.runner.quotes import NotReady
from training.runner.recipes import Recipe, RecipeRefused, Split, SplitKind, SplitRefused
from training.services.uploads import check_texts, new_slug, require_room

NAMED_MAX = 3  # of what stands in the way
# What a worker finds out, and what is forgotten before it looks again.
UNREAD: dict[str, Any] = {
    "status": Work.Status.QUEUED,
    "attempt": F("attempt") + 1,  # who still reads by the old recipe writes nothing any more
    "lost_leases": 0,
    "lease_until": None,
    "error_code": "",
    "error_message": "",
    "started_at": None,
    "finished_at": None,
    "hinted_at": None,
    "report": {},
    "shape": {},
    "sha256": "",
    "size_bytes": 0,
    "rows": 0,
    "columns": 0,
    "features": [],
    "classes": [],
    "class_balance": [],
    "image_shape": None,
    "train_rows": 0,
    "validation_rows": 0,
    "test_rows": 0,
}
DEFAULT_SPLIT = Split().to_json()
KEPT = (
    "owner",
    "name",
    "description",
    "source",
    "licence",
    "category",
    "format",
    "family",
    "upload_sha256",
    "upload_name",
    "upload_bytes",
)


class InvalidSchema(Refusal):
    """The schema does not fit the data; each entry names the column and the reason."""

    status = 422


class DatasetInUse(Refusal):
    """Jobs or models refer to this dataset; what they were made of has to stay."""


@transaction.atomic
def correct_schema(*, actor: User, dataset: Dataset, recipe: object, split: object) -> Dataset:
    """Have the rows read again under this recipe and split; returns the row that they will have.

    Of what the newest version is read by already, as when a form is sent from two windows, nothing
    new is made.
    """
    found = own(actor, dataset)
    wanted = checked_recipe(recipe, found)
    schema = {
        "asked": wanted.to_json(),
        "recipe": wanted.to_json(),  # until a worker has filled in what it leaves open
        "split": checked_split(split, wanted),
    }
    if (newest := read_so(found, schema)) is not None:
        return newest
    if not found.is_over:
        raise NotReady(
            f"The dataset “{found.name}” is still being prepared; correct it after that."
        )
    if is_used(found):
        corrected = next_version(found, schema)
    else:
        old = found.sha256
        last = {"last_schema": schema_of(found)} if old else {}
        Dataset.objects.filter(pk=found.pk).update(**UNREAD, **schema, **last)
        corrected = Dataset.objects.get(pk=found.pk)
        forget(old)
    details = {"version": corrected.version}
    governance.record(actor=actor, verb="correct_schema", subject=corrected, details=details)
    hint("training.tasks.prepare_dataset", dataset_id=str(corrected.pk))
    return corrected


def schema_of(dataset: Dataset) -> dict[str, Any]:
    return {field: getattr(dataset, field) for field in ("recipe", "asked", "split")}


def as_last_read(*, dataset: Dataset) -> Dataset:
    """The same with the schema by which its rows were there before; not saved."""
    for field, value in dataset.last_schema.items():
        setattr(dataset, field, value)
    return dataset


def own(actor: User, dataset: Dataset) -> Dataset:
    """The row of this person, locked: no job refers to it until the transaction ends."""
    found = Dataset.objects.of(actor).select_for_update().filter(pk=dataset.pk).first()
    if found is None:
        raise governance.NotAllowed(f"The dataset “{dataset.name}” is not yours to change.")
    return found


def read_so(dataset: Dataset, schema: Mapping[str, Any]) -> Dataset | None:
    """The newest version of its family, where it is read by this schema, or was."""
    newest = Dataset.objects.filter(family=dataset.family).latest("version")
    if newest.is_over and newest.status != Work.Status.DONE:  # to be tried again
        return None
    is_same = newest.asked == schema["asked"] and newest.split == schema["split"]
    return newest if is_same else None


def is_used(dataset: Dataset) -> bool:
    """Whether something was made of it, so that it stays as it is."""
    return dataset.jobs.exists() or dataset.searches.exists()


def next_version(dataset: Dataset, schema: Mapping[str, Any]) -> Dataset:
    assert dataset.owner is not None
    require_room(dataset.owner, caps_of(dataset.owner.pk))
    family = Dataset.objects.filter(family=dataset.family)
    last = family.aggregate(last=models.Max("version"))["last"]
    return Dataset.objects.create(
        slug=new_slug(dataset.name),
        version=last + 1,
        request_id=governance.request_id(),
        **{field: getattr(dataset, field) for field in KEPT},
        **schema,
    )


def unfitted(*, recipe: object, dataset: Dataset) -> object:
    """A recipe that was sent back, without what a worker had measured for it: whoever reads one,
    changes a role and returns it does not ask for the median that stands there. Nothing but the
    word of who sends it tells that from a wish for that very median.
    """
    if not isinstance(recipe, Mapping):
        return recipe
    fitted, asked = by_name(dataset.recipe), by_name(dataset.asked)
    columns = recipe.get("columns")
    given = columns if isinstance(columns, list) else []
    names = [each.get("name") if isinstance(each, Mapping) else None for each in given]
    found = [
        without(each, fitted[name], asked.get(name, {}), ("values", "missing"))
        if isinstance(name, str) and name in fitted
        else each
        for name, each in zip(names, given, strict=True)
    ]
    sent = without(recipe, dataset.recipe, dataset.asked, ("vocabulary", "usual"))
    return sent | ({"columns": found} if given else {})


def by_name(recipe: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {column["name"]: column for column in recipe.get("columns", [])}


def without(
    sent: Mapping[str, Any],
    fitted: Mapping[str, Any],
    asked: Mapping[str, Any],
    keys: Sequence[str],
) -> dict[str, Any]:
    """The same, where what equals the fitted is as it was asked for."""
    echoed = [key for key in keys if key in sent and sent[key] == fitted.get(key)]
    kept = {key: value for key, value in sent.items() if key not in echoed}
    return kept | {key: asked[key] for key in echoed if key in asked}


def checked_recipe(raw: object, dataset: Dataset) -> Recipe:
    """The recipe that somebody asks for, of the columns that the file has, and the same for the
    same wish, by whichever door it came. Raises InvalidSchema.
    """
    try:
        recipe = Recipe.from_json(raw)
    except RecipeRefused as error:
        raise named(error.problems) from error
    known = {column["name"] for column in dataset.recipe.get("columns", [])}
    given = {column.name for column in recipe.columns}
    if known and known != given:
        parts = ("missing", known - given), ("not in the file", given - known)
        reason = "; ".join(f"{what}: {listing(names)}" for what, names in parts if names)
        raise named([Problem("recipe.columns", f"must be the columns of the file; {reason}")])
    return recipe.with_columns([column.in_figures for column in recipe.columns])


def checked_split(raw: object, recipe: Recipe) -> dict[str, Any]:
    """The split that somebody asks for, whole. Raises InvalidSchema."""
    try:
        split = Split.from_json(raw)
    except SplitRefused as error:
        raise named(error.problems) from error
    if wrong := column_refusal(split, recipe):
        raise named([Problem("split.column", wrong)])
    return split.to_json()


def column_refusal(split: Split, recipe: Recipe) -> str | None:
    """Why the rows cannot be split by this column."""
    if not split.column:
        needs = split.kind is SplitKind.GROUP
        return "say which column holds the group of a row" if needs else None
    if split.column not in {column.name for column in recipe.columns}:
        return f"{split.column!r} is no column of the file"
    return None


def named(problems: Sequence[Problem]) -> InvalidSchema:
    """A refusal that says each path and its reason."""
    return InvalidSchema(
        "; ".join(map(str, problems)),
        invalid_parameters=[
            {"field": problem.path, "reason": problem.reason} for problem in problems
        ],
    )


def listing(names: set[str]) -> str:
    return ", ".join(sorted(names)[:NAMED_MAX])


@transaction.atomic
def rename_dataset(
    *, actor: User, dataset: Dataset, name: str, description: str = "", licence: str = ""
) -> Dataset:
    """Say anew what the data are called and are, and who may use them: all versions alike."""
    found = own(actor, dataset)
    texts = {"name": name.strip(), "description": description, "licence": licence}
    check_texts(**texts)
    Dataset.objects.of(actor).filter(family=found.family).update(**texts)
    governance.record(
        actor=actor,
        verb="rename_dataset",
        subject=found,
        details={"from": found.name, "to": texts["name"]},
    )
    found.refresh_from_db()
    return found


@transaction.atomic
def delete_dataset(*, actor: User, dataset: Dataset) -> Dataset | None:
    """Delete this version, and the bytes that nothing else names. Returns the newest of their other
    datasets that is read from the same file, which then stays for it. Whether other people brought
    that file, too, is nothing that they are told.
    """
    found = own(actor, dataset)
    if is_used(found):
        raise DatasetInUse(
            f"“{found.name}” cannot be deleted: it is needed by {users_of(found)}, whose numbers "
            "can only be run again while it is there."
        )
    details = {"name": found.name, "version": found.version, "sha256": found.sha256}
    governance.record(actor=actor, verb="delete_dataset", subject=found, details=details)
    found.delete()
    forget(found.sha256)
    forget(found.upload_sha256)
    same = Dataset.objects.of(actor).filter(upload_sha256=found.upload_sha256)
    return same.order_by("created_at").last()


def users_of(dataset: Dataset) -> str:
    """What refers to a dataset, by name."""
    named = []
    kinds: dict[str, models.QuerySet[Any]] = {
        "model": Model.objects.filter(job__dataset=dataset),
        "job": Job.objects.filter(dataset=dataset, model=None),
        "search": Search.objects.filter(dataset=dataset),
    }
    for kind, rows in kinds.items():
        names = [f"{kind} “{row}”" for row in rows[:NAMED_MAX]]
        more = rows.count() - len(names)
        named += [*names, *([f"{more} more"] if more > 0 else [])]
    return ", ".join(named)


def forget(sha256: str) -> None:
    """Delete these bytes once the transaction is through, unless another row names them."""
    if sha256:
        act = partial(sweeps.forget_blob, sha256, is_named=lambda _: False)
        transaction.on_commit(act, robust=True)
