"""Usage: sums of settled charges, in all and by group."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api import pagination
from api.base import ApiView, serialize
from api.fields import NAME, Usd
from api.query_parameters import query
from keys.books.queries.usage import GROUPS, UsageFilter, usage_groups, usage_totals
from keys.identity.queries.credentials import Bearer


def _name(help_text: str) -> serializers.RegexField:
    return serializers.RegexField(NAME, required=False, help_text=help_text)


class UsageSumsOutput(serializers.Serializer):
    """Sums of settled charges."""

    calls = serializers.IntegerField(help_text="The number of calls.")
    input_tokens = serializers.IntegerField(help_text=texts.INPUT_TOKENS)
    cached_tokens = serializers.IntegerField(help_text=texts.CACHED_TOKENS)
    cache_write_tokens = serializers.IntegerField(help_text=texts.CACHE_WRITE_TOKENS)
    cache_write_long_tokens = serializers.IntegerField(help_text=texts.CACHE_WRITE_LONG_TOKENS)
    audio_input_tokens = serializers.IntegerField(help_text=texts.AUDIO_INPUT_TOKENS)
    image_input_tokens = serializers.IntegerField(help_text=texts.IMAGE_INPUT_TOKENS)
    output_tokens = serializers.IntegerField(help_text=texts.OUTPUT_TOKENS)
    reasoning_tokens = serializers.IntegerField(help_text=texts.REASONING_TOKENS)
    audio_output_tokens = serializers.IntegerField(help_text=texts.AUDIO_OUTPUT_TOKENS)
    image_output_tokens = serializers.IntegerField(help_text=texts.IMAGE_OUTPUT_TOKENS)
    web_searches = serializers.IntegerField(help_text=texts.WEB_SEARCHES)
    tokens = serializers.IntegerField(help_text=texts.TOKENS)
    cost = Usd(help_text=texts.COST)
    provider_cost = Usd(
        allow_null=True,
        help_text="The sum of the costs that providers reported in US dollars, or null if they "
        "reported none.",
    )


class UsageGroupOutput(UsageSumsOutput):
    """The sums of one group."""

    group = serializers.CharField(
        help_text="The value that the charges of the group have in common, for example the name "
        "of the provider."
    )


class UsageView(ApiView):
    """`/api/v1/usage`."""

    class Query(pagination.PageQuery):
        """Which charges to add up, and how to group them."""

        provider = _name("Only charges of this provider are added up.")
        key_id = _name("Only charges to this API key are added up.")
        agent = _name("Only charges of this agent are added up.")
        cost_centre = _name("Only charges of this cost centre, or of one below it, are added up.")
        session_id = _name("Only charges of this session are added up.")
        group_by = serializers.ChoiceField(
            list(GROUPS),
            required=False,
            help_text="What to group the charges by. Days are in UTC. Without it, only the totals "
            "are returned.",
        )
        since = serializers.DateTimeField(
            required=False, help_text="Only charges settled at this time or later are added up."
        )
        until = serializers.DateTimeField(
            required=False, help_text="Only charges settled before this time are added up."
        )

    class Output(serializers.Serializer):
        """The totals of all charges that match, and one page of their groups."""

        totals = UsageSumsOutput(help_text="The sums of all charges that match.")
        group_by = serializers.ChoiceField(
            list(GROUPS),
            allow_null=True,
            help_text="What the charges are grouped by, or null if they are not grouped.",
        )
        groups = UsageGroupOutput(many=True, help_text="The groups in the order of their names.")
        next_cursor = serializers.CharField(allow_null=True, help_text=texts.PAGE_NEXT)

    @extend_schema(
        operation_id="usage",
        summary="Sum up usage and cost",
        description="Requires the scope `read`. Adds up the settled charges of the agent, in all "
        "and by group. With the scope `operate`, adds up those of every agent.",
        parameters=[Query],
        responses=Output,
    )
    def get(self, request: Request) -> Response:
        """Return the totals and a page of groups."""
        values = query(request, self.Query)
        limit, by = values.pop("limit"), values.pop("group_by", None)
        after = pagination.cursor_value(values.pop("cursor", None), str)
        filters = UsageFilter(**values)
        filters = _own_usage_only(filters, self.bearer)
        rows = by and usage_groups(filters, by=by, after=after, most=limit + 1)
        page = pagination.page(
            rows or [], limit=limit, output=UsageGroupOutput, at=lambda row: (row["group"],)
        )
        return Response(
            {
                "totals": serialize(UsageSumsOutput, usage_totals(filters)),
                "group_by": by,
                "groups": page["results"],
                "next_cursor": page["next_cursor"],
            }
        )


def _own_usage_only(filters: UsageFilter, bearer: Bearer) -> UsageFilter:
    """Restrict the filter to the agent's own charges unless it may see all."""
    if bearer.sees_all:
        return filters
    if filters.agent not in (None, bearer.agent):
        raise PermissionDenied(
            "The usage of other agents requires the scope operate.", "scope_missing"
        )
    return filters._replace(agent=bearer.agent)
