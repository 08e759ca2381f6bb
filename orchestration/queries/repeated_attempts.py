"""What failed attempts cost that were tried again."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, F, Sum

from orchestration.models import Attempt


class RepeatedAttempts(NamedTuple):
    """Failed attempts of an agent's parts that were followed by others: `cost` in USD."""

    agent: str
    cost_centre: str
    runner: str
    error_kind: str
    attempts: int
    tokens: int
    cost: Decimal


def repeated_attempts(*, since: datetime, until: datetime) -> list[RepeatedAttempts]:
    """By agent, runner and kind of failure, of attempts that ended in this time; one query."""
    rows = Attempt.objects.filter(
        status=Attempt.Status.FAILED,
        ended_at__gte=since,
        ended_at__lt=until,
        finalized_at__isnull=False,
        number__lt=F("sub_task__attempts_made"),
    ).order_by()
    groups = ("task__agent_id", "task__agent__cost_centre_id", "runner", "error_kind")
    summed = rows.values_list(*groups).annotate(
        Count("pk"), Sum("used_tokens"), Sum("allocation__used_cost")
    )
    return [
        RepeatedAttempts(agent, centre, runner, kind, attempts, tokens, cost or Decimal(0))
        for agent, centre, runner, kind, attempts, tokens, cost in summed
    ]
