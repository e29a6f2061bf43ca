"""The JavaScript SDK as a package that npm installs from this site's address.

Packed from the folder whenever the process first needs it, and the same bytes each time, so that
nothing built is kept and a lock file of somebody's project stays true.
"""

import gzip
import io
import tarfile
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

FOLDER = settings.BASE_DIR / "static" / "sdk"


@cache
def packed() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(FOLDER.rglob("*.js*")):
            content = path.read_bytes()
            member = tarfile.TarInfo(f"package/{path.relative_to(FOLDER)}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


@require_GET
def package(request: HttpRequest) -> HttpResponse:
    return HttpResponse(packed(), content_type="application/gzip")
