"""What stops sub-tasks besides limits in tokens and USD: concurrency limits, and freezes."""

from collections import Counter
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from common.statements import fetch_unprepared
from keys.books.queries.freezes import frozen_payers
from keys.models import EVERYTHING
from orchestration import sql
from orchestration.models import Concurrency, SubTask, Task

# A wait is noted after this time: many end with the next attempt.
_NOTED_AFTER = timedelta(seconds=5)
_MOST = 500
# Waits for a place of a limit that has some: nothing is wrong, but a task may end by it.
NO_PLACE = "no_place"
NO_CAPACITY = "no_capacity"


class ConcurrencyLimits:
    """How many attempts run in each scope, and the concurrency limit of each."""

    def __init__(self) -> None:
        self._running = Counter(
            {each.scope: each.attempts for each in fetch_unprepared(sql.RUNNING_BY_SCOPE)}
        )
        self._most = dict(Concurrency.objects.values_list("scope", "attempts_max"))
        self._most.setdefault("all", settings.ATTEMPTS_MAX)

    def allow(self, scopes: list[str]) -> bool:
        """Whether each of these scopes has room for one more attempt."""
        return not any(map(self._is_full, scopes))

    def full_scopes(self) -> list[str]:
        """The scopes without room for one more attempt."""
        return [scope for scope in {*self._most, *self._running} if self._is_full(scope)]

    def most(self, scope: str) -> int | None:
        """How many attempts of the scope may run at once; None without a limit."""
        usual = settings.AGENT_ATTEMPTS_MAX if scope.startswith("agent:") else None
        return self._most.get(scope, usual)

    def _is_full(self, scope: str) -> bool:
        most = self.most(scope)
        return most is not None and self._running[scope] >= most

    def count(self, scopes: list[str]) -> None:
        """Count one more running attempt in each of these scopes."""
        self._running.update(scopes)

    def release(self, scopes: list[str]) -> None:
        """Count one less: an attempt that was counted does not start."""
        self._running.subtract(scopes)


def full_providers(scopes: list[str]) -> tuple[str, ...]:
    """The providers among scopes that are full."""
    names = (scope.removeprefix("provider:") for scope in scopes if scope.startswith("provider:"))
    return tuple(sorted(names))


def why_full(scope: str, most: int | None) -> str:
    """Why nothing more of the scope starts now."""
    if most == 0:
        return f"The concurrency limit {scope} lets nothing start."
    return f"The concurrency limit {scope} ({most:,} at once) is reached."


def note_waits(*, now: datetime) -> None:
    """Write to what waits because of a concurrency limit or a freeze why it does; and forget it
    where that is over."""
    closed = _closed()
    for kind, others in ((NO_CAPACITY, ()), (NO_PLACE, tuple(closed[NO_CAPACITY].values()))):
        says_of = closed[kind]
        known = [*says_of.values(), *others]
        for scope, says in says_of.items():
            waiting = _waiting_in(scope, now=now).exclude(error__in=known)
            _write(waiting, error_kind=kind, error=says)
    noted = SubTask.objects.filter(status=SubTask.Status.WAITING, error_kind=NO_PLACE)
    over = noted.exclude(error__in=closed[NO_PLACE].values())
    _write(over, error_kind="", error="")


@transaction.atomic
def _write(rows: QuerySet[SubTask], **columns: str) -> None:
    """Update some of the rows, but none that somebody has locked."""
    free = rows.order_by("pk").select_for_update(of=("self",), skip_locked=True, no_key=True)
    if ids := list(free.values_list("pk", flat=True)[:_MOST]):
        SubTask.objects.filter(pk__in=ids).update(**columns)


def _closed() -> dict[str, dict[str, str]]:
    """By the kind of the wait: the scopes in which nothing starts now, with the reason."""
    limits = ConcurrencyLimits()
    found: dict[str, dict[str, str]] = {NO_CAPACITY: {}, NO_PLACE: {}}
    for scope in sorted(limits.full_scopes()):
        most = limits.most(scope)
        found[NO_PLACE if most else NO_CAPACITY][scope] = why_full(scope, most)
    # The agents of a frozen cost centre are named after it.
    for scope in sorted(frozen_payers(), key=lambda scope: (scope.startswith("agent:"), scope)):
        what = "Everything" if scope == EVERYTHING else scope
        found[NO_CAPACITY][scope] = f"{what} is frozen: nothing starts until it is thawed."
    return found


def _waiting_in(scope: str, *, now: datetime) -> QuerySet[SubTask]:
    kind, _, name = scope.partition(":")
    of_kind = {
        "all": Q(),
        "agent": Q(task__agent=name),
        "centre": Q(task__centres__contains=[name]),
        "provider": Q(provider=name),
        "runner": Q(runner=name),
    }[kind]
    return SubTask.objects.filter(
        of_kind,
        status=SubTask.Status.WAITING,
        task__status=Task.Status.ACTIVE,
        not_before__lte=now,
        waiting_since__lte=now - _NOTED_AFTER,
    )
