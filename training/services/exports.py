"""A model's files: those that are there, and those that a worker makes of it."""

from django.core.files.base import File
from django.db import transaction

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from kernels.fields import shown
from training.models import Export, Model, Work
from training.runner.caps import Load, require_capacity
from training.runner.files import ModelFile, files_of
from training.runner.hints import hint
from training.runner.quotes import NotReady
from training.services.files import open_file
from training.services.validations import NotOwner


class UnknownKind(Refusal):
    """Nobody makes files of this kind."""

    status = 404


@transaction.atomic
def export_model(*, actor: User, model: Model, kind: str) -> Export:
    """Have a worker make this file; one that is there or under way is returned as it is."""
    require_kind(kind)
    if model.owner_id != actor.pk:
        raise NotOwner("Only the owner of a model may have its files made.")
    return order_export(actor=actor, model=model, kind=kind)


def require_kind(kind: str) -> None:
    if kind not in Export.Kind.values:
        known = ", ".join(Export.Kind.values)
        raise UnknownKind(f"kind: {shown(kind)} cannot be made of a model; {known} can.")


@transaction.atomic
def order_export(*, actor: User, model: Model, kind: str) -> Export:
    """The same for whoever has a right to the file that is not told by the model's row."""
    require_kind(kind)
    Model.objects.select_for_update().get(pk=model.pk)  # a second click finds the first's row
    export = model.exports.filter(kind=kind).first()
    if export is not None and (not export.is_over or export.status == Work.Status.DONE):
        return export
    require_capacity(actor.pk, Load.EXPORTS)
    if export is not None:
        export.delete()  # it failed; what it says was read
    export = Export.objects.create(
        model=model,
        kind=Export.Kind(kind),
        asker=None if actor.pk == model.owner_id else actor,
        request_id=governance.request_id(),
    )
    governance.record(actor=actor, verb="export_model", subject=export, details={"kind": kind})
    hint("training.tasks.make_export", export_id=str(export.pk))
    return export


def open_model_file(*, actor: User, model: Model, kind: str) -> tuple[ModelFile, File[bytes]]:
    """One of a model's files, to be streamed, or closed by the caller. Raises FileUnreadable."""
    if model.owner_id != actor.pk:
        raise NotOwner("Only the owner of a model may have its files.")
    return open_made_file(model=model, kind=kind)


def open_made_file(*, model: Model, kind: str) -> tuple[ModelFile, File[bytes]]:
    """The same for whoever has a right to the file that is not told by the model's row."""
    kinds = {one.kind: one for one in files_of(model)}
    if kind not in kinds:
        raise UnknownKind(f"kind: {shown(kind)} is no kind of file; there are {', '.join(kinds)}.")
    found = kinds[kind]
    if not found.is_ready:
        raise NotReady(
            f"This model has no {kind} file yet; have it made on the model's page first."
        )
    if found.scan_state in ("flagged", "error"):
        raise NotReady(f"The {kind} file of this model is kept back: its scan found something.")
    return found, open_file(sha256=found.sha256)
