"""The addresses of the site, and beside them a view that does nothing.

What the view takes is what every call takes here before anything is done: the server, the
middleware, the API key, the answer.
"""

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import urls
from governance.models import Scope

NOTHING = "/api/v1/nothing"


@extend_schema(exclude=True)
class Nothing(APIView):
    required_scope = {"POST": Scope.PREDICT}

    def post(self, request: Request) -> Response:
        return Response({})


urlpatterns = [path(NOTHING.lstrip("/"), Nothing.as_view()), *urls.urlpatterns]
handler400, handler404, handler500 = urls.handler400, urls.handler404, urls.handler500
