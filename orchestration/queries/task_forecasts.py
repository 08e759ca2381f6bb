"""Whole tasks beside what was forecast for their parts."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from math import sqrt
from typing import NamedTuple

from orchestration.models import Attempt, Task
from prediction.queries.running_forecasts import forecasts_of


class TaskForecast(NamedTuple):
    """A task that has ended, what its parts were forecast to need, and what all attempts took.

    In tokens; `cost` in USD. 90 of 100 such tasks need no more than `p90`, if their parts do not
    depend on each other. The forecasts are of the first attempt of each part.
    """

    task: Task
    parts: int
    attempts: int
    p50: int
    p90: int
    tokens: int
    cost: Decimal

    @property
    def cost_p50(self) -> Decimal | None:
        """What `p50` tokens cost at the price of the tokens that were used; None if there were
        none."""
        return self._cost(self.p50)

    @property
    def cost_p90(self) -> Decimal | None:
        """The same of `p90`."""
        return self._cost(self.p90)

    def _cost(self, tokens: int) -> Decimal | None:
        return self.cost * tokens / self.tokens if self.tokens else None


def task_forecasts(tasks: Sequence[Task]) -> list[TaskForecast]:
    """The tasks whose parts all began with a learned forecast, in the order of `tasks`; two
    queries."""
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for each in Attempt.objects.filter(task__in=tasks).order_by("number", "pk"):
        attempts[each.task_id].append(each)
    kept = forecasts_of(each.session_id for some in attempts.values() for each in some)
    found = []
    for task in tasks:
        first = {each.sub_task_id: each for each in reversed(attempts[task.pk])}
        learned = [kept[each.session_id] for each in first.values() if each.session_id in kept]
        if not learned or len(learned) < len(first):
            continue
        p50 = sum(each.p50 or 0 for each in learned)
        spread = sqrt(sum(((each.p90 or 0) - (each.p50 or 0)) ** 2 for each in learned))
        found.append(
            TaskForecast(
                task=task,
                parts=len(first),
                attempts=len(attempts[task.pk]),
                p50=p50,
                p90=round(p50 + spread),
                tokens=sum(each.used_tokens for each in attempts[task.pk]),
                cost=sum((each.cost for each in attempts[task.pk]), Decimal(0)),
            )
        )
    return found
