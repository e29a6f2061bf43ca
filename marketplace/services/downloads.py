"""A template's files: who may take which, by links that say so themselves, and how often they are.

A link is signed and bound to a person, a version and a kind of file, and works for minutes: what a
program or a mirror gets hold of is soon worth nothing. It needs no session, so that `curl` can
follow it; whether its person may still have the file is asked again when it is followed.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.files.base import File
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import Download, TemplateVersion
from marketplace.services.offers import Offer, find_offer
from training import services as training
from training.services import ModelFile

LINK_SECONDS = 600
PURPOSE = "marketplace.download"


class NotEntitled(Refusal):
    """These files are for who bought the template, or, of a free one, for every member."""

    status = 403


class LinkExpired(Refusal):
    """A link to a file works for ten minutes, and for who asked for it; ask for a new one."""

    status = 403


class UnknownLink(Refusal):
    """Nobody was given a link like this."""

    status = 404


@dataclass(frozen=True, kw_only=True)
class OfferedFile:
    """A file of a version, and whether the visitor may have it."""

    file: ModelFile
    may_take: bool

    @property
    def is_making(self) -> bool:
        return self.file.export is not None and not self.file.export.is_over

    @property
    def is_kept_back(self) -> bool:
        return self.file.scan_state in ("flagged", "error")


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a file is to be had, and until when."""

    file: ModelFile
    address: str
    expires_at: datetime.datetime


def files_on_offer(*, offer: Offer) -> list[OfferedFile]:
    """Those that buyers get; its author sees and gets all that there can be."""
    files = training.files_of(offer.version.model, offer.version.validation)
    shown = files if offer.standing.is_owner else chosen_files(offer.version, files)
    may_take = may_take_files(offer)
    return [OfferedFile(file=file, may_take=may_take) for file in shown]


def chosen_files(version: TemplateVersion, files: Sequence[ModelFile]) -> list[ModelFile]:
    return [file for file in files if file.kind in version.files]


def may_take_files(offer: Offer) -> bool:
    """Its author, who bought it, and, of a version that costs nothing, every member."""
    if offer.is_closed:
        return False
    standing = offer.standing
    return standing.is_entitled or (standing.is_member and not offer.version.price_microcredits)


def wanted_file(offer: Offer, kind: str) -> OfferedFile:
    """Raises what stands between this visitor and this file."""
    files = {one.file.kind: one for one in files_on_offer(offer=offer)}
    if kind not in files:
        known = ", ".join(files) or "none"
        raise training.UnknownKind(f"kind: {kind!r} is no file on offer here; there is {known}.")
    if not files[kind].may_take:
        raise NotEntitled(
            f"The files of “{offer.template.name}” are for who bought it; buy it on its page first."
        )
    return files[kind]


def order_file(*, actor: User, offer: Offer, kind: str) -> None:
    """Have a file made that is on offer and not there: its worker failed, or made it of old."""
    if not wanted_file(offer, kind).file.is_ready:
        training.order_export(actor=actor, model=offer.version.model, kind=kind)


@transaction.atomic
def link_download(*, actor: User, offer: Offer, kind: str) -> Link:
    """A way to the file for this person. Raises NotReady where it is not made, or kept back."""
    file = wanted_file(offer, kind).file
    training.open_made_file(model=offer.version.model, kind=kind)[1].close()
    told = {"user": str(actor.pk), "version": offer.version.pk, "kind": kind}
    token = signing.dumps(told, salt=PURPOSE)
    governance.record(
        actor=actor,
        verb="link_download",
        subject=offer.version,
        details={"kind": kind, "sha256": file.sha256},
    )
    return Link(
        file=file,
        address=reverse("marketplace:download", args=[token]),
        expires_at=timezone.now() + datetime.timedelta(seconds=LINK_SECONDS),
    )


def open_download(
    *, token: str, visitor: User | None, is_begun: bool
) -> tuple[TemplateVersion, ModelFile, File[bytes]]:
    """The file that a link leads to, for who it was made; counted where its reading `is_begun`."""
    told = read_token(token)
    user = User.objects.filter(pk=told["user"], is_active=True).first()
    version = TemplateVersion.objects.filter(pk=told["version"]).first()
    if user is None or version is None or (visitor is not None and visitor.pk != user.pk):
        raise LinkExpired("This link was made for somebody else; ask for one of your own.")
    offer = find_offer(viewer=user, number=version.number, pk=version.template_id)
    if offer is None:
        raise UnknownLink("This link leads to nothing.")
    wanted_file(offer, told["kind"])
    file, opened = training.open_made_file(model=offer.version.model, kind=told["kind"])
    if is_begun and not offer.standing.is_owner:
        count_download(user, offer.version)
    return offer.version, file, opened


def read_token(token: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = signing.loads(token, salt=PURPOSE, max_age=LINK_SECONDS)
    except signing.SignatureExpired as error:
        raise LinkExpired(
            "This link has expired: it worked for ten minutes. Ask for a new one on the template's "
            "page."
        ) from error
    except signing.BadSignature as error:
        raise UnknownLink("This link leads to nothing.") from error
    return told


def count_download(user: User, version: TemplateVersion) -> None:
    """A person counts once a day; how many files they began is counted apart."""
    row, is_first = Download.objects.get_or_create(
        template=version.template,
        user=user,
        day=timezone.now().date(),
        defaults={"version": version},
    )
    if not is_first:
        Download.objects.filter(pk=row.pk).update(times=F("times") + 1)
