"""Usage and cost: sums of settled charges."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import CharField, Count, DateField, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Cast, Coalesce, NullIf, TruncDay

from keys.models import Charge

_PARTS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cache_write_long_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "image_output_tokens",
    "web_searches",
    "tokens",
)
_SUMS = {
    "calls": Count("pk"),
    **{part: Sum(part, default=0) for part in _PARTS},
    "cost": Sum("cost", default=Decimal(0)),
    "provider_cost": Sum("provider_cost"),
}
# How charges can be grouped; every group is a string.
GROUPS = {
    "provider": F("api_key__provider_id"),
    "model": Coalesce(NullIf("model", Value("")), F("api_key__model")),
    "key": F("api_key_id"),
    "agent": F("allocation__agent_id"),
    "cost_centre": F("allocation__cost_centre_id"),
    "day": Cast(Cast(TruncDay("settled_at", tzinfo=UTC), DateField()), CharField()),
    "session": F("allocation__session_id"),
}


class UsageFilter(NamedTuple):
    """A filter of settled charges; None does not filter.

    `since`, `until`: settled in `[since, until)`. `cost_centre` includes all cost centres below it.
    """

    since: datetime | None = None
    until: datetime | None = None
    provider: str | None = None
    key_id: str | None = None
    agent: str | None = None
    cost_centre: str | None = None
    session_id: str | None = None


def usage_totals(which: UsageFilter) -> dict[str, Any]:
    """`calls`, tokens by part, `tokens` and `cost` (USD) of the filter's charges; one query.

    `provider_cost` (USD) sums the calls for which the provider reported a cost; None without any.
    """
    return _charges(which).aggregate(**_SUMS)


def usage_groups(
    which: UsageFilter, *, by: str, after: str | None, most: int
) -> list[dict[str, Any]]:
    """The totals of each `group`, by name: the first `most` after the group `after`; one query."""
    charges = _charges(which).order_by().annotate(group=GROUPS[by])
    if after is not None:
        charges = charges.filter(group__gt=after)
    return [dict(row) for row in charges.values("group").annotate(**_SUMS).order_by("group")[:most]]


def _charges(which: UsageFilter) -> QuerySet[Charge]:
    wanted = {
        "settled_at__gte": which.since,
        "settled_at__lt": which.until,
        "api_key__provider": which.provider,
        "api_key": which.key_id,
        "allocation__agent": which.agent,
        "allocation__payers__contains": which.cost_centre and [f"centre:{which.cost_centre}"],
        "allocation__session_id": which.session_id,
    }
    conditions = Q(**{name: value for name, value in wanted.items() if value is not None})
    return Charge.objects.filter(conditions, status=Charge.Status.SETTLED)
