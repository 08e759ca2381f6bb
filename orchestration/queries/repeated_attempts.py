"""What failed attempts cost that were tried again."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, F, Sum

from orchestration.models import Attempt


class RepeatedAttempts(NamedTuple):
    """Failed attempts of an agent's parts that were followed by others: `number` is 1 for first
    attempts, `model` the one that they were lent for, `asked_model` and `asked_provider` those that
    the requests named. `cost` in USD."""

    agent: str
    cost_centre: str
    runner: str
    error_kind: str
    number: int
    api_key: str
    model: str
    asked_model: str
    asked_provider: str
    attempts: int
    tokens: int
    cost: Decimal


_GROUPS = (
    *("task__agent_id", "task__agent__cost_centre_id", "runner", "error_kind", "number"),
    *("api_key_id", "api_key__model", "sub_task__model", "sub_task__provider"),
    "allocation__named_models",
)


def repeated_attempts(*, since: datetime, until: datetime) -> list[RepeatedAttempts]:
    """By who made them and how they failed, of attempts that ended in this time; one query."""
    rows = Attempt.objects.filter(
        status=Attempt.Status.FAILED,
        ended_at__gte=since,
        ended_at__lt=until,
        finalized_at__isnull=False,
        number__lt=F("sub_task__attempts_made"),
    ).order_by()
    summed = rows.values_list(*_GROUPS).annotate(
        Count("pk"), Sum("used_tokens"), Sum("allocation__used_cost")
    )
    return [_row(each) for each in summed]


def _row(values: tuple[Any, ...]) -> RepeatedAttempts:
    who, (model, *asked), (named, attempts, tokens, cost) = values[:6], values[6:9], values[9:]
    lent = named[0] if named else model or ""
    return RepeatedAttempts._make((*who, lent, *asked, attempts, tokens, cost or Decimal(0)))
