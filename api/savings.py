"""Savings: what would have cost less in the last 30 days."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api import pagination
from api.authentication import FINANCE, OPERATE, READ
from api.base import ApiView
from api.fields import Usd, usd
from api.query_parameters import query
from keys.identity.queries.credentials import Bearer
from prediction.models import Saving, SavingKind
from prediction.queries.savings import agent_savings, open_savings, savings_total


class SavingOutput(serializers.Serializer):
    """A proposal to spend less, with the figures that it rests on."""

    id = serializers.IntegerField(help_text="Identifies the saving.")
    kind = serializers.ChoiceField(SavingKind.choices, help_text="What kind of saving it is.")
    subject = serializers.CharField(
        help_text="The agent or API key that it is about, such as `agent:ada` or `key:nvidia-1`."
    )
    detail = serializers.CharField(
        help_text="What tells it apart from others about the same subject, or an empty string."
    )
    cost_centre = serializers.CharField(
        help_text="The cost centre of the agent, or an empty string if it is about an API key."
    )
    status = serializers.ChoiceField(
        Saving.Status.choices,
        help_text="The status: `open`, `done` (a person followed it), `dismissed` (it is not told "
        "again) or `gone` (it is not found any more).",
    )
    advice = serializers.ChoiceField(
        Saving.Advice.choices, help_text="What the figures allow. People do it on the pages."
    )
    words = serializers.CharField(help_text="What was seen, in sentences.")
    evidence = serializers.DictField(help_text="The figures behind it, for programs to read.")
    amount = Usd(
        help_text="What would have been saved in 30 days, in US dollars; of an idle key or of "
        "oversize budgets, what lies there and is not spent."
    )
    amount_low = Usd(help_text="The low end of the amount's interval of 95 %.")
    amount_high = Usd(help_text="The high end of the amount's interval of 95 %.")
    found_at = serializers.DateTimeField(help_text="The time at which it was first found.")
    seen_at = serializers.DateTimeField(help_text="The time at which it was last found.")
    closed_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it ended, or null while it is open."
    )
    closed_by = serializers.CharField(
        help_text="The person or job that ended it, or an empty string."
    )
    reason = serializers.CharField(help_text="Why a person ended it, or an empty string.")


class SavingPageOutput(serializers.Serializer):
    """One page of savings, and what all that are open save together."""

    open_amount = Usd(
        help_text="What all open savings of the agents that the token may see would save in 30 "
        "days, in US dollars: of several about the same money, the largest counts. Idle money does "
        "not count."
    )
    results = SavingOutput(many=True, help_text="The rows of this page.")
    next_cursor = serializers.CharField(allow_null=True, help_text=texts.PAGE_NEXT)


class SavingListView(ApiView):
    """`/api/v1/savings`."""

    scopes = {"GET": (READ, OPERATE, FINANCE)}

    class Query(pagination.PageQuery):
        """Which savings to list."""

        status = serializers.ChoiceField(
            Saving.Status.choices,
            required=False,
            help_text="Only savings with this status are returned.",
        )
        kind = serializers.ChoiceField(
            SavingKind.choices,
            required=False,
            help_text="Only savings of this kind are returned.",
        )

    @extend_schema(
        operation_id="listSavings",
        summary="List savings",
        description="Requires the scope `read`, `operate` or `finance`. Returns what would have "
        "cost less in the last 30 days, newest first, as Butler finds it each night. With `read`, "
        "returns the savings of the agent; with `operate` or `finance`, those of every agent and "
        "API key.",
        parameters=[Query],
        responses=SavingPageOutput,
        examples=[
            OpenApiExample(
                "A cheaper key",
                {
                    "open_amount": "96.000000000",
                    "results": [
                        {
                            "id": 3,
                            "kind": "cheaper",
                            "subject": "agent:ada",
                            "detail": "model: openai-1, gpt-5 → openai-2, gpt-5-mini",
                            "cost_centre": "research",
                            "status": "open",
                            "advice": "switch",
                            "words": "Parts of ada with the runner model succeeded on openai-2 as "
                            "often for less.",
                            "evidence": {"from_key": "openai-1", "to_key": "openai-2"},
                            "amount": "96.000000000",
                            "amount_low": "88.000000000",
                            "amount_high": "103.000000000",
                            "found_at": "2026-11-02T03:00:00Z",
                            "seen_at": "2026-11-28T03:00:00Z",
                            "closed_at": None,
                            "closed_by": "",
                            "reason": "",
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of savings."""
        values = query(request, self.Query)
        limit = values.pop("limit")
        after = pagination.cursor_value(values.pop("cursor", None), int)
        seen = _visible_savings(self.bearer)
        rows = seen.filter(**values).order_by("-pk")
        if after:
            rows = rows.filter(pk__lt=after)
        page = pagination.page(
            list(rows[: limit + 1]), limit=limit, output=SavingOutput, at=lambda row: (row.pk,)
        )
        return Response({"open_amount": usd(savings_total(open_savings(seen))), **page})


def _visible_savings(bearer: Bearer) -> QuerySet[Saving]:
    if bearer.sees_all or FINANCE in bearer.scopes:
        return Saving.objects.all()
    return agent_savings(bearer.agent)
