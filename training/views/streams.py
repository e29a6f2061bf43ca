"""The stream that a job's page listens to."""

import uuid
from functools import partial

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import aget_object_or_404
from django.views.decorators.http import require_GET

from governance.views.streams import stream
from training import services as training
from training.models import Job


@login_required
@require_GET
async def job_stream(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    user = await request.auser()
    found = await aget_object_or_404(Job, owner=user.pk, pk=job_id)
    return stream(request, found.owner_id, partial(state, job_id))


def state(job_id: uuid.UUID) -> tuple[str, bool]:
    """The version of a job, and whether it is over."""
    job = Job.objects.get(pk=job_id)
    return training.job_version(job=job), job.is_over
