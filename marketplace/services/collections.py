"""Collections: keep templates in lists, in order, with notes."""

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Now

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import Collection, CollectionItem, Template
from marketplace.models.collections import ITEMS_MAX, NOTE_LENGTH_MAX


class InvalidCollection(Refusal):
    """A field is missing or out of range; the text names it."""

    status = 422


def require_owner(actor: User, collection: Collection) -> None:
    if collection.owner_id != actor.pk:
        raise governance.NotAllowed("Only its owner changes a collection.")


def check_name(owner: User, name: str, collection: Collection | None = None) -> None:
    if not name.strip() or not name.isprintable():
        raise InvalidCollection("name: must be text that people can see, in one line.")
    alike = Collection.objects.of(owner).filter(name=name.strip())
    if collection is not None:
        alike = alike.exclude(pk=collection.pk)
    if alike.exists():
        raise InvalidCollection(f"name: you have a collection “{name.strip()}” already.")


@transaction.atomic
def make_collection(
    *, owner: User, name: str, description: str = "", is_public: bool = False
) -> Collection:
    governance.take_turn(f"collections/{owner.pk}")
    check_name(owner, name)
    collection = Collection.objects.create(
        owner=owner, name=name.strip(), description=description.strip(), is_public=is_public
    )
    governance.record(actor=owner, verb="make_collection", subject=collection)
    return collection


@transaction.atomic
def change_collection(
    *, actor: User, collection: Collection, name: str, description: str, is_public: bool
) -> Collection:
    require_owner(actor, collection)
    governance.take_turn(f"collections/{actor.pk}")
    check_name(actor, name, collection)
    Collection.objects.filter(pk=collection.pk).update(
        name=name.strip(),
        description=description.strip(),
        is_public=is_public,
        changed_at=Now(),
    )
    governance.record(
        actor=actor,
        verb="change_collection",
        subject=collection,
        details={"is_public": is_public},
    )
    collection.refresh_from_db()
    return collection


@transaction.atomic
def delete_collection(*, actor: User, collection: Collection) -> None:
    """The list goes; the templates in it stay what they are."""
    require_owner(actor, collection)
    governance.record(
        actor=actor,
        verb="delete_collection",
        subject=collection,
        details={"name": collection.name},
    )
    collection.delete()


@transaction.atomic
def collect_template(
    *, actor: User, collection: Collection, template: Template, note: str = ""
) -> CollectionItem:
    """Put a template at the end of a collection; what is there already gets the note."""
    require_owner(actor, collection)
    if len(note) > NOTE_LENGTH_MAX:
        raise InvalidCollection(f"note: has {len(note):,} letters; at most {NOTE_LENGTH_MAX:,}.")
    Collection.objects.select_for_update().get(pk=collection.pk)
    last = collection.items.aggregate(last=Max("position"))["last"]
    if collection.items.count() >= ITEMS_MAX:
        raise InvalidCollection(f"A collection has at most {ITEMS_MAX} templates.")
    item, _ = CollectionItem.objects.update_or_create(
        collection=collection,
        template=template,
        defaults={"note": note.strip()},
        create_defaults={"note": note.strip(), "position": 0 if last is None else last + 1},
    )
    changed(actor, collection, "collect_template", template)
    return item


@transaction.atomic
def leave_out(*, actor: User, item: CollectionItem) -> None:
    require_owner(actor, item.collection)
    item.delete()
    changed(actor, item.collection, "leave_out_template", item.template)


@transaction.atomic
def move_item(*, actor: User, item: CollectionItem, is_up: bool) -> None:
    """Swap it with its neighbour; at the end of the list nothing moves."""
    require_owner(actor, item.collection)
    Collection.objects.select_for_update().get(pk=item.collection_id)
    items = item.collection.items.all()
    found = items.filter(pk=item.pk).first()
    if found is None:
        raise Refusal(f"“{item.template.name}” is no longer in this collection.")
    item = found  # where it stands now that nobody else moves anything
    if is_up:
        other = items.filter(position__lt=item.position).order_by("-position").first()
    else:
        other = items.filter(position__gt=item.position).order_by("position").first()
    if other is None:
        return
    pair = items.filter(pk__in=[item.pk, other.pk])
    pair.update(position=item.position + other.position - F("position"))
    changed(actor, item.collection, "move_template", item.template)


def changed(actor: User, collection: Collection, verb: str, template: Template) -> None:
    Collection.objects.filter(pk=collection.pk).update(changed_at=Now())
    governance.record(
        actor=actor, verb=verb, subject=collection, details={"template": str(template.pk)}
    )
