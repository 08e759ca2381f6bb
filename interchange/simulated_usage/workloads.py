"""Workloads: what agents do, how often, at which hours and with which models."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

_WORKING_DAYS = 5
# How likely a session begins in each hour of the day (UTC).
HOURS: Mapping[str, tuple[int, ...]] = {
    "office": (0, 0, 0, 0, 0, 0, 1, 4, 8, 10, 10, 8, 5, 8, 10, 10, 8, 5, 2, 1, 0, 0, 0, 0),
    "night": (4, 10, 10, 8, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2),
    "always": (2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 5, 5, 4, 4, 3, 3, 2),
    "before_dawn": (6, 8, 10, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
}


@dataclass(frozen=True, kw_only=True)
class ModelUse:
    """A model on an API key, and how often a workload uses it, relative to its other models."""

    key_id: str
    model: str
    share: float = 1.0
    has_provider_cost: bool = False


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What one agent does under one label.

    `sessions` are those of a working day, `weekend` is the share of them on a Saturday or Sunday.
    A session makes between the two numbers of `calls`, of about `input_tokens` and `output_tokens`
    each. `hours`: see HOURS. With a `day`, it runs on that day only.
    """

    agent: str
    label: str
    models: tuple[ModelUse, ...]
    sessions: float
    calls: tuple[int, int]
    input_tokens: int
    output_tokens: int
    hours: str = "office"
    weekend: float = 0.0
    day: date | None = None

    def sessions_on(self, day: date) -> float:
        """How many sessions it has on a day, on average."""
        if self.day not in (None, day):
            return 0.0
        return self.sessions * (1 if day.weekday() < _WORKING_DAYS else self.weekend)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Hours of a day in which the provider refused most calls with an API key."""

    key_id: str
    day: date
    from_hour: int
    until_hour: int


def working_day(until: date, *, days_ago: int) -> date:
    """The last working day that is at least `days_ago` days before `until`."""
    day = until - timedelta(days=days_ago)
    return day - timedelta(days=max(day.weekday() - _WORKING_DAYS + 1, 0))


def calls_between(workloads: tuple[Workload, ...], first: date, last: date) -> float:
    """How many calls the workloads make from the `first` to the `last` day, on average."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return sum(each.sessions_on(day) * sum(each.calls) / 2 for each in workloads for day in days)
