"""History: everything that happened to sessions, keys and limits."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.base import ApiView
from api.fields import NAME
from api.query_parameters import query
from keys.books.queries.history import Entry, HistoryFilter, history
from keys.models import History


def _name() -> serializers.RegexField:
    return serializers.RegexField(NAME, required=False)


class HistoryView(ApiView):
    """`/api/v1/history`."""

    class Query(pagination.PageQuery):
        """Filters of the list."""

        kind = serializers.ChoiceField(History.Kind.choices, required=False)
        session_id = _name()
        key_id = _name()
        since = serializers.DateTimeField(required=False, help_text="Inclusive.")
        until = serializers.DateTimeField(required=False, help_text="Exclusive.")

    class Output(serializers.Serializer):
        """One thing that happened. A settled charge is one of kind `usage_update`."""

        id = serializers.SerializerMethodField(help_text="`change-7` or `usage-7`.")
        at = serializers.DateTimeField()
        kind = serializers.ChoiceField(History.Kind.choices)
        scope = serializers.CharField(help_text="`key:…`, `agent:…`, `centre:…`, or empty.")
        agent = serializers.CharField()
        session_id = serializers.CharField()
        who = serializers.CharField()
        why = serializers.CharField()
        before = serializers.DictField(allow_null=True)
        after = serializers.DictField(allow_null=True)

        def get_id(self, entry: Entry) -> str:
            """Its name among all entries."""
            return f"{entry.source}-{entry.id}"

    @extend_schema(
        operation_id="listHistory",
        summary="Everything that happened to your sessions, the newest first",
        description="Needs the scope read; with operate, of everybody, keys and limits included.",
        parameters=[Query],
        responses=pagination.page_serializer(Output),
    )
    def get(self, request: Request) -> Response:
        """List."""
        asked = query(request, self.Query)
        limit = asked.pop("limit")
        rows = history(
            HistoryFilter(
                agent=None if request.auth.sees_all else request.auth.agent,
                session_id=asked.pop("session_id", None),
                after=pagination.position(asked.pop("cursor", None), *pagination.MOMENT_SOURCE_ID),
                **asked,
            ),
            most=limit + 1,
        )
        return Response(
            pagination.page(rows, limit=limit, output=self.Output, at=lambda row: row[:3])
        )
