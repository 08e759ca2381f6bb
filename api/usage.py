"""Usage: sums of settled charges, grouped."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.base import ApiView, serialize
from api.fields import NAME, Usd
from api.query_parameters import query
from keys.books.queries.usage import GROUPS, UsageFilter, usage_groups, usage_totals
from keys.identity.queries.credentials import Bearer


def _name() -> serializers.RegexField:
    return serializers.RegexField(NAME, required=False)


class UsageSumsOutput(serializers.Serializer):
    """Sums of settled charges."""

    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField(help_text="Part of `input_tokens`.")
    cache_write_tokens = serializers.IntegerField(help_text="Part of `input_tokens`.")
    cache_write_long_tokens = serializers.IntegerField(help_text="Part of `cache_write_tokens`.")
    audio_input_tokens = serializers.IntegerField(help_text="Part of `input_tokens`.")
    output_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField(help_text="Part of `output_tokens`.")
    audio_output_tokens = serializers.IntegerField(help_text="Part of `output_tokens`.")
    tokens = serializers.IntegerField()
    cost = Usd(help_text="USD.")
    provider_cost = Usd(
        allow_null=True, help_text="USD, of those calls for which the provider said it."
    )


class UsageGroupOutput(UsageSumsOutput):
    """The sums of one group."""

    group = serializers.CharField()


class UsageView(ApiView):
    """`/api/v1/usage`."""

    class Query(pagination.PageQuery):
        """Which charges, and how to group them."""

        provider = _name()
        key_id = _name()
        agent = _name()
        cost_centre = serializers.RegexField(
            NAME, required=False, help_text="With all centres below it."
        )
        session_id = _name()
        group_by = serializers.ChoiceField(list(GROUPS), required=False)
        since = serializers.DateTimeField(required=False, help_text="Settled at or after.")
        until = serializers.DateTimeField(required=False, help_text="Settled before.")

    class Output(serializers.Serializer):
        """The totals of everything asked for, and a page of its groups by name."""

        totals = UsageSumsOutput()
        group_by = serializers.ChoiceField(list(GROUPS), allow_null=True)
        groups = UsageGroupOutput(many=True)
        next_cursor = serializers.CharField(allow_null=True)

    @extend_schema(
        operation_id="usage",
        summary="What your sessions used and what it cost",
        description="Needs the scope read; with operate, of every agent. Days are UTC.",
        parameters=[Query],
        responses=Output,
    )
    def get(self, request: Request) -> Response:
        """Sum up."""
        asked = query(request, self.Query)
        limit, by = asked.pop("limit"), asked.pop("group_by", None)
        after = pagination.position(asked.pop("cursor", None), str)
        which = UsageFilter(**asked)
        which = _restricted_to_own(which, request.auth)
        rows = by and usage_groups(which, by=by, after=after and after[0], most=limit + 1)
        page = pagination.page(
            rows or [], limit=limit, output=UsageGroupOutput, at=lambda row: (row["group"],)
        )
        return Response(
            {
                "totals": serialize(UsageSumsOutput, usage_totals(which)),
                "group_by": by,
                "groups": page["results"],
                "next_cursor": page["next_cursor"],
            }
        )


def _restricted_to_own(which: UsageFilter, bearer: Bearer) -> UsageFilter:
    """An agent's own usage; of another agent it sees none."""
    if bearer.sees_all:
        return which
    if which.agent not in (None, bearer.agent):
        raise PermissionDenied("Usage of other agents needs the scope operate.", "scope_missing")
    return which._replace(agent=bearer.agent)
