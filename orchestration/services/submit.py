"""Submit a task: plan it, split its budget, store it, wake a worker."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from types import MappingProxyType
from typing import NamedTuple

from django.db import IntegrityError, transaction

from common import live_notices
from common.refusal import Refusal
from keys import services as keys
from keys.models import Agent, CostCentre
from keys.refusals import (
    AgentDisabled,
    AgentNotFound,
    CostCentreClosed,
    CostCentreNotFound,
    IdempotencyMismatch,
)
from orchestration import planning, runners
from orchestration.models import Task
from orchestration.planning import Part
from orchestration.refusals import BudgetTooSmall
from orchestration.services.affordable import (
    PLANNING_PERCENT,
    check_affordable,
    planning_share,
)
from orchestration.services.open_work import check_open_work
from orchestration.services.part_forecasts import forecast_parts
from orchestration.services.store_plan import write_sub_tasks
from orchestration.services.task_request import TaskRequest
from orchestration.services.wakeup import wake
from orchestration.task_texts import TASK, new_texts
from prediction.services import WorkForecast
from security import tokens

# How often a larger budget is tried; each try finds the next reason against it.
_ROUNDS_MAX = 5


class Plan(NamedTuple):
    """A plan: its parts, and the share of the budget that each one gets, in tokens.

    If a model plans the task, the only part is the planning step. `note`: what the keyword planner
    says about the description, such as that it did not divide it; or empty. `forecasts`: by the
    keys of parts, where enough was learned.
    """

    parts: list[Part]
    shares: list[int]
    note: str = ""
    forecasts: Mapping[str, WorkForecast] = MappingProxyType({})


def plan(request: TaskRequest, *, agent: str) -> Plan:
    """Plan a task request of an agent and split its budget, without storing anything.

    Refusals: WrongValue, WrongPlan, RunnerNotFound, BudgetTooSmall.
    """
    request.check()
    parts, note = _parts(request)
    parts, forecasts = forecast_parts(parts, request, agent=agent)
    for name in {request.runner, *(part.runner for part in parts if part.runner)}:
        runners.check(name, agent=agent)
    total, reserve = request.total_budget, reserve_of(request)
    return Plan(parts, planning.split(parts, total=total, reserve=reserve), note, forecasts)


def reserve_of(request: TaskRequest) -> int:
    """Tokens kept for retries."""
    return request.total_budget * request.reserve_percent // 100


def _parts(request: TaskRequest) -> planning.KeywordPlan:
    if request.sub_tasks:
        return planning.KeywordPlan(planning.explicit_plan(list(request.sub_tasks)), note="")
    return planning.noted_keyword_plan(request.description, parallel=request.parallel)


def submit(
    *, agent: str, request: TaskRequest, idempotency_key: str | None = None, now: datetime
) -> tuple[Task, bool]:
    """Store a task; workers start it when the transaction commits.

    Returns the task and whether it was created: the same idempotency key is the same task.
    Refusals: those of `plan`, BudgetTooLarge, AgentNotFound, AgentDisabled, CostCentreNotFound,
    CostCentreClosed, ProviderNotFound, ModelNotFound, IdempotencyMismatch, TooManyOpenTasks,
    TooManyOpenSubTasks.
    """
    if earlier := idempotency_key and _earlier(agent, idempotency_key):
        return _same(earlier, request), False
    planned = affordable_plan(request, agent=agent, now=now)
    try:
        return _submit(agent, request, planned, idempotency_key, now)
    except IntegrityError as error:
        # The same request was sent at the same time, and its task exists now.
        if "task_once_per_idempotency_key" not in str(error):
            raise
        return _submit(agent, request, planned, idempotency_key, now)


def is_planned_by_model(request: TaskRequest) -> bool:
    """Whether a model plans the task when it runs."""
    return request.planner == "model" and not request.sub_tasks


def affordable_plan(request: TaskRequest, *, agent: str, now: datetime) -> Plan:
    """The plan that is stored first, which its budget can pay. If a model plans the task, that is
    the planning step.

    Refusals: those of `plan`, ProviderNotFound, ModelNotFound, BudgetTooLarge, and BudgetTooSmall
    with the least budget that works.
    """
    try:
        return _affordable_plan(request, agent=agent, now=now)
    except BudgetTooSmall as small:
        raise _with_least(small, request, agent=agent, now=now) from None


def _affordable_plan(request: TaskRequest, *, agent: str, now: datetime) -> Plan:
    make = _planning_step if is_planned_by_model(request) else plan
    planned = make(request, agent=agent)
    _check_supply(request, planned.parts)
    check_affordable(request, planned.parts, planned.shares, agent=agent, now=now)
    return planned


def _with_least(
    small: BudgetTooSmall, request: TaskRequest, *, agent: str, now: datetime
) -> BudgetTooSmall:
    """The refusal with a budget that is not refused, for another reason, when it is tried."""
    needed = _scaled(small, request)
    for _ in range(_ROUNDS_MAX):
        try:
            _affordable_plan(replace(request, total_budget=needed), agent=agent, now=now)
        except BudgetTooSmall as more:
            needed = max(_scaled(more, request), needed + 1)
        except Refusal:
            # Where so much cannot be lent, the task cannot be paid at all.
            break
        else:
            break
    if needed == small.needed:
        return small
    says, _, _ = small.detail.partition(" At least ")
    return BudgetTooSmall(
        f"{says} At least {needed:,} tokens are needed.",
        needed=needed,
        budget=small.budget,
        reserve=small.reserve,
    )


def _scaled(small: BudgetTooSmall, request: TaskRequest) -> int:
    """What is needed, with the reserve that grows with the budget."""
    if not small.reserve:
        return small.needed
    return ceil((small.needed - small.reserve) * 100 / (100 - request.reserve_percent))


def _check_supply(request: TaskRequest, parts: list[Part]) -> None:
    named = {(part.provider or request.provider, part.model or request.model) for part in parts}
    for provider, model in sorted(named):
        keys.check_known(provider=provider, models=[model] if model else [])


def _planning_step(request: TaskRequest, *, agent: str) -> Plan:
    """The plan of a task that a model plans later: only the planning step."""
    request.check()
    runners.check(request.runner, agent=agent)
    share = planning_share(request.total_budget)
    if share < planning.PART_TOKENS_MIN:
        needed = planning.PART_TOKENS_MIN * 100 // PLANNING_PERCENT
        raise BudgetTooSmall(
            f"A model plans with {PLANNING_PERCENT} % of the budget, which is too small for that: "
            f"it needs {needed} tokens.",
            needed=needed,
            budget=request.total_budget,
        )
    return Plan([planning.planning_part(request.description)], [share])


@transaction.atomic(durable=True)
def _submit(
    agent: str, request: TaskRequest, planned: Plan, idempotency_key: str | None, now: datetime
) -> tuple[Task, bool]:
    if idempotency_key and (earlier := _earlier(agent, idempotency_key)):
        return _same(earlier, request), False
    centre = _cost_centre(agent, request.cost_centre)
    check_open_work(agent, sub_tasks=len(planned.parts))
    task = Task(
        agent_id=agent,
        cost_centre=centre,
        centres=centre.path,
        idempotency_key=idempotency_key,
        asked_digest=tokens.keyed_hash(_canonical(request)),
        created_at=now,
        deadline_at=now + timedelta(seconds=request.timeout),
        plan_note=planned.note,
        **_columns(request),
    )
    task.sealed_description = new_texts(task).seal(request.description, place=TASK)
    task.save(force_insert=True)
    first = 0 if planned.parts[0].key == planning.PLANNING_KEY else 1
    write_sub_tasks(task, planned.parts, planned.shares, first=first, now=now)
    wake()
    live_notices.announce()
    return task, True


def _columns(request: TaskRequest) -> dict[str, object]:
    percent = request.soft_limit_percent
    return {
        "name": request.name,
        "budget": request.total_budget,
        "reserve": reserve_of(request),
        "soft_limit": percent and max(request.total_budget * percent // 100, 1),
        "runner": request.runner,
        "model": request.model,
        "provider": request.provider,
        "planner": "given" if request.sub_tasks else request.planner,
        "priority": request.priority,
        "parallel": request.parallel,
        "max_concurrent": request.max_concurrent,
        "retry_on_failure": request.retry_on_failure,
        "max_retries": request.max_retries,
        "waiting_seconds": request.waiting_timeout,
        "running_seconds": request.running_timeout,
        "approval_seconds": request.approval_timeout,
        "timeout_seconds": request.timeout,
    }


def _earlier(agent: str, idempotency_key: str) -> Task | None:
    return Task.objects.filter(agent=agent, idempotency_key=idempotency_key).first()


def _same(task: Task, request: TaskRequest) -> Task:
    if not tokens.matches(_canonical(request), bytes(task.asked_digest)):
        raise IdempotencyMismatch(task_id=task.pk)
    return task


def _canonical(request: TaskRequest) -> str:
    """The request as text, the same for the same request."""
    return f"task {json.dumps(request.as_json(), sort_keys=True)}"


def _cost_centre(agent_slug: str, requested: str) -> CostCentre:
    agent = Agent.objects.select_related("cost_centre").filter(pk=agent_slug).first()
    if agent is None:
        raise AgentNotFound(agent=agent_slug)
    if agent.disabled_at:
        raise AgentDisabled(agent=agent_slug)
    centre = CostCentre.objects.filter(pk=requested).first() if requested else agent.cost_centre
    if centre is None or agent.cost_centre_id not in centre.path:
        raise CostCentreNotFound(
            cost_centre=requested,
            own=agent.cost_centre_id,
        )
    if centre.closed_at:
        raise CostCentreClosed(cost_centre=centre.pk)
    return centre
