"""The template that an address names, as the caller may meet it: the one way there for programs."""

import uuid

from django.http import Http404
from rest_framework.request import Request

from governance.api.requests import caller
from governance.api.schema import refused
from marketplace import services as marketplace
from marketplace.models import Template
from marketplace.services import Offer

GONE = refused(410, "It was public and no longer is; `reason` says why, `gone_at` since when.")


def found_offer(request: Request, template_id: uuid.UUID, number: int | None = None) -> Offer:
    """The version that is named, or the one on offer. Raises Http404, TemplateNotAvailable."""
    offer = marketplace.find_offer(viewer=caller(request), number=number, pk=template_id)
    if offer is None:
        raise Http404
    marketplace.require_open(offer)
    return offer


def found_template(request: Request, template_id: uuid.UUID) -> Template:
    """On offer, one's own, or bought. Raises Http404, TemplateNotAvailable."""
    return found_offer(request, template_id).template
