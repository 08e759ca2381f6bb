"""How first attempts of parts ended, by who carried them out: which API keys and models did the
same kind of work as well.

Later attempts are left out: what another key has failed at is not the same kind of work.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from orchestration.models import Attempt

_MOST = 200_000
# Failures that say nothing about the model or its provider.
_OF_OTHERS = ("no_capacity", "lost", "unreachable", "misconfigured", "quarantined")
_ENDED = (Attempt.Status.SUCCEEDED, Attempt.Status.FAILED)


class FirstAttempt(NamedTuple):
    """The first attempt of a part: `asked_model` and `asked_provider` as the request or an
    experiment named them, empty where Butler chose; `model` and `provider` are those that it was
    lent for. `error_kind` is of one that failed; `is_repeated`: another one followed. `cost` in
    USD."""

    agent: str
    cost_centre: str
    runner: str
    api_key: str
    model: str
    provider: str
    asked_model: str
    asked_provider: str
    succeeded: bool
    error_kind: str
    is_repeated: bool
    cost: Decimal


def first_attempts(*, since: datetime, until: datetime) -> Iterator[FirstAttempt]:
    """The newest first attempts that ended in this time and are final; one query."""
    rows = Attempt.objects.filter(
        number=1,
        status__in=_ENDED,
        ended_at__gte=since,
        ended_at__lt=until,
        finalized_at__isnull=False,
        allocation__isnull=False,
        sub_task__position__gt=0,
    ).exclude(error_kind__in=_OF_OTHERS)
    columns = (
        *("task__agent_id", "task__agent__cost_centre_id", "runner", "api_key_id", "status"),
        *("allocation__named_models", "api_key__model", "allocation__used_cost"),
        *("api_key__provider_id", "sub_task__model", "sub_task__provider"),
        *("error_kind", "sub_task__attempts_made"),
    )
    for row in rows.order_by("-pk").values_list(*columns)[:_MOST].iterator(chunk_size=5_000):
        agent, centre, runner, key, status, named, model, cost, sold_by, asked, asked_of = row[:11]
        yield FirstAttempt(
            agent=agent,
            cost_centre=centre,
            runner=runner,
            api_key=key,
            model=named[0] if named else model,
            provider=sold_by,
            asked_model=asked,
            asked_provider=asked_of,
            succeeded=status == Attempt.Status.SUCCEEDED,
            error_kind=row[11],
            is_repeated=row[12] > 1,
            cost=cost,
        )
