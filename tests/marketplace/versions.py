"""Versions and models that are there at once, for tests of what comes after."""

import uuid

from django.db import connection

from marketplace.models import TemplateVersion


def another_version(template, *, model=None, call_price=1_000, **more) -> TemplateVersion:
    """A version after the last, out at once; the gate is tested elsewhere."""
    last = template.versions.first()
    made = TemplateVersion.objects.create(
        template=template,
        number=last.number + 1,
        model=model or last.model,
        plan=last.plan,
        price_microcredits=last.price_microcredits,
        call_price_microcredits=call_price,
        **more,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE marketplace_templateversion SET status = 'submitted', submitted_at = now(), "
            "validation_id = %s WHERE id = %s",
            [last.validation_id, made.pk],
        )
        for status in ("approved", "published"):
            cursor.execute(
                "UPDATE marketplace_templateversion SET status = %s, published_at = now() "
                "WHERE id = %s",
                [status, made.pk],
            )
    type(template).objects.filter(pk=template.pk).update(current=made)
    template.refresh_from_db()
    return TemplateVersion.objects.get(pk=made.pk)


def sibling(template, **changes):
    """A model row of its own over the same file: what differs is who it is, not what it says."""
    model = template.versions.first().model
    job = model.job
    job.pk, job.hold = uuid.uuid4(), None
    job.save(force_insert=True)
    model.pk, model.job, model.family = uuid.uuid4(), job, uuid.uuid4()
    for name, value in changes.items():
        setattr(model, name, value)
    model.save(force_insert=True)
    return model
