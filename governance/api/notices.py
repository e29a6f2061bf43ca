"""What a person is told, for their programs."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import services as governance
from governance.api.answers import Page, page, paged
from governance.api.requests import caller
from governance.api.schema import PAGE
from governance.models import Notice, NoticeType, Scope


class NoticeSerializer(serializers.Serializer[Notice]):
    id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=NoticeType.choices)
    text = serializers.CharField()
    url = serializers.SerializerMethodField(help_text="Where to see it; empty where nowhere.")
    data = serializers.DictField(  # type: ignore[assignment]  # DRF takes fields off the class
        help_text="Ids and figures; which ones depends on the type."
    )
    at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)

    def get_url(self, notice: Notice) -> str:
        return f"{settings.SITE_URL}{notice.url}" if notice.url else ""


class NoticePage(Page):
    rows_name = "notices"

    notices = NoticeSerializer(many=True, help_text="Newest first.")
    unread = serializers.IntegerField(
        help_text=f"How many are new in all; {governance.UNREAD_SHOWN_MAX} means so many or more."
    )


class Notices(APIView):
    required_scope = {"GET": Scope.NOTICES_READ}

    @extend_schema(operation_id="notices_list", responses=NoticePage, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """What you were told. Asking marks nothing as read."""
        rows, following = page(request, Notice.objects.of(caller(request)), ordering=("-at", "-id"))
        unread = governance.count_unread(caller(request))
        return paged(request, NoticePage, rows, following, unread=unread)
