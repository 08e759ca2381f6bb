"""Record what came of work that has ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Sum

from keys.models import Allocation, Charge
from keys.services import TASK_LABEL
from prediction.models import Forecast, SettledWork

_AT_ONCE = 1_000
# Allocations that are this much older than the newest have ended and were recorded.
_BEHIND = 200_000
# Work that used this share of its budget was cut off, however it ended.
_USED_UP = 0.95


def record_settled_work(*, now: datetime) -> int:
    """Record allocations that ended and whose calls are settled; returns how many. Running it again
    records what is new."""
    newest = Allocation.objects.aggregate(newest=Max("pk"))["newest"] or 0
    recorded = 0
    after = newest - _BEHIND
    while ended := _ended(after):
        recorded += _record(ended, now=now)
        after = ended[-1].pk
    return recorded


def _ended(after: int) -> list[Allocation]:
    known = SettledWork.objects.values("pk")
    rows = Allocation.objects.filter(pk__gt=after, closed_at__isnull=False, held=0)
    return list(rows.exclude(pk__in=known).select_related("api_key").order_by("pk")[:_AT_ONCE])


@transaction.atomic(durable=True)
def _record(ended: Sequence[Allocation], *, now: datetime) -> int:
    usage: dict[int, dict[str, Any]] = {
        row["allocation_id"]: dict(row)
        for row in Charge.objects.filter(
            allocation_id__in=[each.pk for each in ended], status=Charge.Status.SETTLED
        )
        .order_by()
        .values("allocation_id")
        .annotate(
            calls=Count("pk"),
            tokens_sum=Sum("tokens"),
            input_sum=Sum("input_tokens"),
            output_sum=Sum("output_tokens"),
            reasoning_sum=Sum("reasoning_tokens"),
        )
    }
    made = Forecast.objects.in_bulk([each.session_id for each in ended])
    rows = [_row(each, usage.get(each.pk, {}), made.get(each.session_id), now) for each in ended]
    return len(SettledWork.objects.bulk_create(rows, ignore_conflicts=True))


def _row(
    ended: Allocation, usage: dict[str, Any], forecast: Forecast | None, now: datetime
) -> SettledWork:
    label = "" if ended.label.startswith(TASK_LABEL) else ended.label
    return SettledWork(
        allocation=ended,
        settled_at=ended.closed_at or now,
        agent=ended.agent_id,
        cost_centre=ended.cost_centre_id,
        model=ended.default_model,
        kind=forecast.kind if forecast else label,
        text_digest=forecast.text_digest if forecast else None,
        rule_tokens=forecast.rule_tokens if forecast else None,
        p50=forecast.p50 if forecast else None,
        p90=forecast.p90 if forecast else None,
        tokens=usage.get("tokens_sum", 0),
        calls=usage.get("calls", 0),
        input_tokens=usage.get("input_sum", 0),
        output_tokens=usage.get("output_sum", 0),
        reasoning_tokens=usage.get("reasoning_sum", 0),
        censored=_is_censored(ended),
    )


def _is_censored(ended: Allocation) -> bool:
    """Whether the work would have gone on: the budget was used up, or the agent gave up. A session
    that expires with tokens left has most often ended without saying so."""
    used_up = ended.used >= _USED_UP * ended.allocated
    gave_up = ended.status in (Allocation.Status.EXHAUSTED, Allocation.Status.FAILED)
    return used_up or gave_up
