"""A template's files, taken home from its page."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from governance.views import MemberRequest, pressed_on, visitor
from governance.views.files import attachment, begins_reading
from marketplace import services as marketplace
from marketplace.views.found import found_offer


@pressed_on("../../#files")
def take_file(request: MemberRequest, slug: str, number: int, kind: str) -> HttpResponse:
    offer = found_offer(request, slug, number)
    link = marketplace.link_download(actor=request.user, offer=offer, kind=kind)
    return redirect(link.address)


@pressed_on("../../../#files")
def make_file(request: MemberRequest, slug: str, number: int, kind: str) -> HttpResponse:
    offer = found_offer(request, slug, number)
    marketplace.order_file(actor=request.user, offer=offer, kind=kind)
    return redirect("../../../#files")


@never_cache
@require_safe
def download(request: HttpRequest, token: str) -> HttpResponseBase:
    """What a link leads to. A look at its head counts for nothing."""
    version, file, opened = marketplace.open_download(
        token=token, visitor=visitor(request), is_begun=begins_reading(request)
    )
    name = f"{slugify(version.template.name)[:80] or 'model'}-{version.number}.{file.kind}"
    return attachment(request, opened, sha256=file.sha256, name=name)
