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


def _name(help_text: str) -> serializers.RegexField:
    return serializers.RegexField(NAME, required=False, help_text=help_text)


class HistoryView(ApiView):
    """`/api/v1/history`."""

    class Query(pagination.PageQuery):
        """Which entries to list."""

        kind = serializers.ChoiceField(
            History.Kind.choices,
            required=False,
            help_text="Only entries of this kind are returned.",
        )
        session_id = _name("Only entries about this session are returned.")
        key_id = _name("Only entries about this API key are returned.")
        since = serializers.DateTimeField(
            required=False, help_text="Only entries from this time on are returned."
        )
        until = serializers.DateTimeField(
            required=False, help_text="Only entries before this time are returned."
        )

    class Output(serializers.Serializer):
        """Something that happened to an allocation, an API key or a limit."""

        id = serializers.SerializerMethodField(
            help_text="Identifies the entry, for example `change-7` or `usage-7`."
        )
        at = serializers.DateTimeField(help_text="The time at which it happened.")
        kind = serializers.ChoiceField(
            History.Kind.choices,
            help_text="The kind of the entry. A settled charge is a `usage_update`.",
        )
        scope = serializers.CharField(
            help_text="What it happened to: `key:…`, `agent:…`, `centre:…`, or an empty string."
        )
        agent = serializers.CharField(
            help_text="The name of the agent that it is about, or an empty string."
        )
        session_id = serializers.CharField(
            help_text="The session that it is about, or an empty string."
        )
        who = serializers.CharField(help_text="The person, agent or job that did it.")
        why = serializers.CharField(help_text="The reason that was given, or an empty string.")
        before = serializers.DictField(
            allow_null=True, help_text="The values before the change, or null."
        )
        after = serializers.DictField(
            allow_null=True, help_text="The values after the change, or null."
        )

        def get_id(self, entry: Entry) -> str:
            """Return what identifies the entry among all."""
            return f"{entry.source}-{entry.id}"

    @extend_schema(
        operation_id="listHistory",
        summary="List what happened",
        description="Requires the scope `read`. Returns what happened to the sessions of the "
        "agent, usage included, newest first. With the scope `operate`, returns the entries of "
        "every agent, API key and limit.",
        parameters=[Query],
        responses=pagination.page_serializer(Output),
    )
    def get(self, request: Request) -> Response:
        """Answer a page of entries."""
        asked = query(request, self.Query)
        limit, cursor = asked.pop("limit"), asked.pop("cursor", None)
        rows = history(
            HistoryFilter(
                agent=None if self.bearer.sees_all else self.bearer.agent,
                after=pagination.cursor_values(cursor, *pagination.MOMENT_SOURCE_ID),
                **asked,
            ),
            most=limit + 1,
        )
        return Response(
            pagination.page(rows, limit=limit, output=self.Output, at=lambda row: row[:3])
        )
