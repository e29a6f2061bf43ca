"""The template that an address names, as who asks may meet it: the one way there for every page
under it.
"""

from django.http import Http404

from governance.views import PageRequest, visitor
from marketplace import services as marketplace
from marketplace.models import Template
from marketplace.services import Offer


def found_offer(
    request: PageRequest, slug: str, number: int | None = None, *, with_figures: bool = False
) -> Offer:
    """What the visitor may see at this address, be it a tombstone. Raises Http404."""
    offer = marketplace.find_offer(
        viewer=visitor(request), number=number, with_figures=with_figures, slug=slug
    )
    if offer is None:
        raise Http404
    return offer


def open_offer(request: PageRequest, slug: str, number: int | None = None) -> Offer:
    """What is not gone for the visitor. Raises Http404, TemplateNotAvailable."""
    offer = found_offer(request, slug, number)
    marketplace.require_open(offer)
    return offer


def found_template(request: PageRequest, slug: str) -> Template:
    """On offer, one's own, or bought. Raises Http404, TemplateNotAvailable."""
    return open_offer(request, slug).template
