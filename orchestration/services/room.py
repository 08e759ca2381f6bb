"""Whether limits in tokens and USD have room for what would start, without making an attempt."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from common.refusal import Refusal
from keys import refusals as keys_refusals
from keys import services as keys
from keys.books.queries.lendable import never_lendable
from keys.books.queries.previews import previews
from orchestration import runners
from orchestration.failure_kinds import kind_of
from orchestration.models import SubTask, Task
from orchestration.refusals import RunnerNotFound
from orchestration.task_budget import TOKENS_MIN

NO_CAPACITY = "no_capacity"
# Those that wait for a limit are looked at again after a time between these, or at its reset.
_PAUSE_SECONDS = (10.0, 20.0)
# One that waits only because others of its agent start now is looked at again sooner.
_NEXT_SECONDS = 1.0
# So many that start at once are looked at together.
_TOGETHER_MIN = 4


@dataclass(frozen=True, slots=True)
class Start:
    """A sub-task that may start now with `tokens`; `scopes`: the concurrency limits it counts
    in."""

    sub_task: SubTask
    task: Task
    tokens: int
    scopes: list[str]
    now: datetime

    def parameters(self) -> dict[str, Any]:
        """Its parameters for START_ATTEMPTS."""
        task, sub_task = self.task, self.sub_task
        deadline = min(self.now + timedelta(seconds=task.running_seconds), task.deadline_at)
        # Adding the number of attempts keeps the id unique even if the clock has not moved.
        milliseconds = int(self.now.timestamp() * 1000) + sub_task.attempts_made
        return {
            "sub_task": sub_task.pk,
            "tokens": self.tokens,
            "session_id": f"butler-{task.pk}-{sub_task.position}-{milliseconds}",
            "deadline_at": deadline.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a sub-task waits: the `refusal` of a limit, or None if it only lets others go first."""

    sub_task: SubTask
    request: keys.AllocationRequest
    refusal: Refusal | None


def lacking(
    starts: Sequence[Start], *, full: tuple[str, ...] = (), now: datetime
) -> dict[int, Lack]:
    """Those of `starts`, by sub-task id, for which no key and no limit has room now.

    Only agents are looked at of which something waits for a limit already, or that start several at
    once; of others, the attempt finds it out. Those that start together need room together, but
    for the first. `full`: providers whose concurrency limit is reached.
    """
    waiting = _agents_that_wait(starts)
    by_payer: dict[tuple[str, str], list[Start]] = defaultdict(list)
    for start in starts:
        by_payer[start.task.agent_id, start.task.cost_centre_id].append(start)
    found: dict[int, Lack] = {}
    for (agent, _), of_payer in by_payer.items():
        if agent in waiting or len(of_payer) >= _TOGETHER_MIN:
            found |= _lacking_of(agent, of_payer, is_waiting=agent in waiting, full=full, now=now)
    return found


def wait(lacks: Mapping[int, Lack], *, now: datetime) -> None:
    """Let these sub-tasks wait, with the limit that they wait for as their error."""
    for lack in lacks.values():
        one, refusal = lack.sub_task, lack.refusal
        one.not_before = now + timedelta(seconds=_NEXT_SECONDS)
        if refusal is not None:
            if not lower_tokens_max(one, lack.request, refusal, now=now):
                one.not_before = now + timedelta(seconds=_pause(refusal, now))
            one.error_kind = NO_CAPACITY
            one.error = reason_of(refusal, lack.request.without_providers)
    SubTask.objects.bulk_update(
        [lack.sub_task for lack in lacks.values()],
        ["not_before", "error_kind", "error", "tokens_max"],
    )


def reason_of(refusal: Refusal, full: Iterable[str] = ()) -> str:
    """Why there is no room, with the limit that has none. `full`: providers whose concurrency limit
    is reached."""
    if isinstance(refusal, keys_refusals.NoKeyCapacity) and full:
        names = ", ".join(f"provider:{each}" for each in full)
        return f"The concurrency limit of {names} is reached, and no other API key has room."
    if isinstance(refusal, keys_refusals.NoKeyCapacity) and refusal.windows:
        return f"{refusal.detail} The first limit without room: {refusal.windows[0]}."
    return refusal.detail


def lower_tokens_max(
    sub_task: SubTask, request: keys.AllocationRequest, refusal: Refusal | None, *, now: datetime
) -> bool:
    """Set the most tokens that can be lent at once to a sub-task, if the request that was refused
    is for more than could ever be lent. Returns whether it was; the caller saves the sub-task.

    A task may be given more while it runs, a model may plan it, and what parts return is given to
    others: so a share can be too large although the budget was not.
    """
    never = never_lendable(request, refusal, now=now)
    if never is None or never.most < TOKENS_MIN:
        return False
    free = min(_tokens_that_fit(refusal, is_waiting=True), never.most)
    # What is free now need not wait for a reset, if it is not much less.
    sub_task.tokens_max = int(free) if free >= never.most / 2 else never.most
    return True


def seconds_until_reset(refusal: Refusal, now: datetime) -> float | None:
    """Until a limit without room resets, but at most a minute: a person may raise it before.

    None when no limit refused, or none that resets.
    """
    if not isinstance(refusal, keys_refusals.NoRoom) or refusal.next_reset is None:
        return None
    return min(max((refusal.next_reset - now).total_seconds(), 1.0), 60.0)


def _pause(refusal: Refusal, now: datetime) -> float:
    pause = random.uniform(*_PAUSE_SECONDS)  # noqa: S311 - spreads load, keeps no secret
    return min(pause, seconds_until_reset(refusal, now) or pause)


def _agents_that_wait(starts: Iterable[Start]) -> set[str]:
    agents = {start.task.agent_id for start in starts}
    waiting = SubTask.objects.filter(
        status=SubTask.Status.WAITING,
        error_kind=NO_CAPACITY,
        task__status=Task.Status.ACTIVE,
        task__agent__in=agents,
    )
    return set(waiting.order_by().values_list("task__agent", flat=True).distinct())


def _lacking_of(
    agent: str,
    starts: list[Start],
    *,
    is_waiting: bool,
    full: tuple[str, ...],
    now: datetime,
) -> dict[int, Lack]:
    """Those of one agent and cost centre that lack room, by sub-task id."""
    alike: dict[keys.AllocationRequest, list[Start]] = defaultdict(list)
    for start in starts:
        if (request := _request(start, full)) is not None:
            alike[request].append(start)
    wholes = {each: replace(each, tokens=_tokens(some)) for each, some in alike.items()}
    alone = {
        start.sub_task.pk: replace(each, tokens=start.tokens)
        for each, some in alike.items()
        for start in some
    }
    try:
        found = previews(agent=agent, requests=[*wholes.values(), *alone.values()], now=now)
    except Refusal:
        # The agent itself is refused: its attempts say why.
        return {}
    lacks: dict[int, Lack] = {}
    for each, some in alike.items():
        whole = _no_capacity(found[wholes[each]].refusal)
        most = _tokens_that_fit(whole, is_waiting=is_waiting)
        for number, start in enumerate(some):
            pk = start.sub_task.pk
            if refusal := _no_capacity(found[alone[pk]].refusal):
                lacks[pk] = Lack(start.sub_task, alone[pk], refusal)
            elif number and _tokens(some[: number + 1]) > most:
                lacks[pk] = Lack(start.sub_task, alone[pk], None)
    return lacks


def _tokens(starts: Iterable[Start]) -> int:
    return sum(start.tokens for start in starts)


def _tokens_that_fit(whole: Refusal | None, *, is_waiting: bool) -> float:
    """How many tokens have room of those for which `whole` was refused.

    What one key lacks, another may have: it counts only where something waits already.
    """
    if isinstance(whole, keys_refusals.LimitReached):
        return min((_part(each) * whole.needed for each in whole.windows), default=0)
    if is_waiting and isinstance(whole, keys_refusals.NoKeyCapacity):
        return max((each.capacity or 0 for each in whole.alternatives), default=0)
    return math.inf


def _part(window: keys_refusals.LackingWindow) -> float:
    free = max(float(window.amount - window.used - window.committed), 0.0)
    return free / float(window.needed)


def _no_capacity(refusal: Refusal | None) -> Refusal | None:
    return refusal if refusal is not None and kind_of(refusal) == NO_CAPACITY else None


def _request(start: Start, full: tuple[str, ...]) -> keys.AllocationRequest | None:
    """What the attempt would ask for, but for the tokens; None if its runner is gone, which the
    attempt says."""
    sub_task, task = start.sub_task, start.task
    try:
        terms = runners.terms(sub_task.runner, agent=task.agent_id)
    except RunnerNotFound:
        return None
    return keys.AllocationRequest(
        tokens=1,
        provider=sub_task.provider or None,
        model=sub_task.model or None,
        cost_centre=task.cost_centre_id,
        wire_format=terms.wire_format,
        without_providers=full,
    )
