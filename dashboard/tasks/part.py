"""What the page of one part of a task shows."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet

from dashboard.charts import MeterPart, meter
from dashboard.tasks.took import took
from orchestration.models import Attempt, SubTask
from orchestration.queries.pages import spent_by_attempt
from orchestration.queries.parts import cost_of

_TRIES_MAX = 50
_NEIGHBOURS_MAX = 100


class Try(NamedTuple):
    """An attempt: `cost` in USD with all adjustments, `log`: what the runner reported."""

    attempt: Attempt
    tokens: int
    cost: Decimal
    bar: Any
    took: str | None
    log: str


def part_detail(part: SubTask, *, now: datetime) -> dict[str, Any]:
    """Its attempts, and the parts before and after it; three queries."""
    tries = _tries(part, now)
    used = sum(each.tokens for each in tries)
    label = f"{used:,} of {part.share:,} tokens used"
    return {
        "tries": tries,
        "used": used,
        "cost": sum((each.cost for each in tries), Decimal(0)),
        "bar": meter([MeterPart(used)], whole=part.share, label=label),
        "took": took(part.started_at, part.ended_at, now=now),
        "before": _names(SubTask.objects.filter(dependents__sub_task=part)),
        "after": _names(SubTask.objects.filter(dependencies__needs=part)),
        "now": now,
    }


def _tries(part: SubTask, now: datetime) -> list[Try]:
    attempts = part.attempts.select_related("allocation").order_by("-number")
    return [_try(each, now) for each in attempts[:_TRIES_MAX]]


def _try(attempt: Attempt, now: datetime) -> Try:
    tokens, _ = spent_by_attempt(attempt)
    label = f"{tokens:,} of {attempt.tokens:,} tokens used"
    return Try(
        attempt=attempt,
        tokens=tokens,
        cost=cost_of(attempt),
        bar=meter([MeterPart(tokens)], whole=attempt.tokens, label=label),
        took=took(attempt.created_at, attempt.ended_at, now=now),
        log=json.dumps(attempt.facts, indent=2, ensure_ascii=False) if attempt.facts else "",
    )


def _names(parts: QuerySet[SubTask]) -> list[SubTask]:
    rows = parts.order_by("position").only("task_id", "position", "name", "status")
    return list(rows[:_NEIGHBOURS_MAX])
