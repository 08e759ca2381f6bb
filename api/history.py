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
from security import audit


def _name(help_text: str) -> serializers.RegexField:
    return serializers.RegexField(NAME, required=False, help_text=help_text)


class HistoryView(ApiView):
    """`/api/v1/history`."""

    class Query(pagination.PageQuery):
        """Which entries to list."""

        action = serializers.ChoiceField(
            audit.actions(),
            required=False,
            help_text="Only entries of this action are returned.",
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
        """Something that was done to an allocation, an API key, a limit or another subject."""

        id = serializers.SerializerMethodField(
            help_text="Identifies the entry, for example `change-7` or `usage-7`."
        )
        at = serializers.DateTimeField(help_text="The time at which it happened.")
        action = serializers.ChoiceField(
            audit.actions(),
            help_text="What was done. A settled charge is listed as `charge.settle`.",
        )
        subject = serializers.CharField(
            help_text="What was changed, for example `session:ses-1`, `key:nvidia-1`, `agent:ada` "
            "or `centre:research`."
        )
        agent = serializers.CharField(
            help_text="The name of the agent that it is about, or an empty string."
        )
        session_id = serializers.CharField(
            help_text="The session that it is about, or an empty string."
        )
        actor = serializers.CharField(
            help_text="The person, agent or job that did it. An agent is written as `agent:ada`."
        )
        reason = serializers.CharField(help_text="The reason that was given, or an empty string.")
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
        "every agent, API key, limit and all else that is recorded.",
        parameters=[Query],
        responses=pagination.page_serializer(Output),
    )
    def get(self, request: Request) -> Response:
        """Return a page of entries."""
        values = query(request, self.Query)
        limit, cursor = values.pop("limit"), values.pop("cursor", None)
        rows = history(
            HistoryFilter(
                agent=None if self.bearer.sees_all else self.bearer.agent,
                after=pagination.cursor_values(cursor, *pagination.MOMENT_SOURCE_ID),
                **values,
            ),
            most=limit + 1,
        )
        return Response(
            pagination.page(rows, limit=limit, output=self.Output, at=lambda row: row[:3])
        )
