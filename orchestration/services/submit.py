"""Take a task in: plan it, split its budget, write it down, wake a worker."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction

from keys import services as keys
from keys.models import Agent, CostCentre
from keys.refusals import AgentDisabled, IdempotencyMismatch, UnknownAgent, UnknownCostCentre
from orchestration import planning, runners
from orchestration.models import Task
from orchestration.planning import Part
from orchestration.refusals import BudgetTooSmall
from orchestration.services.store_plan import write_sub_tasks
from orchestration.services.task_request import Order
from orchestration.services.wakeup import wake

# What the model that plans may use of the budget.
_PLANNING_PERCENT = 20
_PLANNING_TOKENS_MAX = 50_000


class Plan(NamedTuple):
    """A plan with what each part gets of the budget, in tokens; the planner's own part first, if
    a model is to make the others."""

    parts: list[Part]
    shares: list[int]


def plan(order: Order) -> Plan:
    """What would be done, and its split; nothing is written.

    Refusals: WrongValue, WrongPlan, UnknownRunner, BudgetTooSmall.
    """
    order.check()
    parts = _parts(order)
    for name in {order.runner, *(part.runner for part in parts if part.runner)}:
        runners.check(name)
    total, reserve = order.total_budget, reserve_of(order)
    return Plan(parts, planning.split(parts, total=total, reserve=reserve))


def reserve_of(order: Order) -> int:
    """Tokens kept for retries."""
    return order.total_budget * order.reserve_percent // 100


def _parts(order: Order) -> list[Part]:
    if order.sub_tasks:
        return planning.given_plan(list(order.sub_tasks))
    return planning.keyword_plan(order.description, parallel=order.parallel)


def submit(
    *, agent: str, order: Order, idempotency_key: str | None = None, now: datetime
) -> tuple[Task, bool]:
    """Write a task down; workers begin with it when this is committed.

    Returns the task and whether it was created: the same idempotency key is the same task.
    Refusals: those of `plan`, UnknownAgent,
    AgentDisabled, UnknownCostCentre, UnknownProvider, UnknownModel, IdempotencyMismatch.
    """
    if earlier := idempotency_key and _earlier(agent, idempotency_key):
        return _same(earlier, order), False
    by_model = order.planner == "model" and not order.sub_tasks
    made = _to_be_planned(order) if by_model else plan(order)
    _check_supply(order, made.parts)
    try:
        return _submit(agent, order, made, idempotency_key, now)
    except IntegrityError as error:
        # The same request at the same time: the other one's task is there now.
        if "task_once_per_idempotency_key" not in str(error):
            raise
        return _submit(agent, order, made, idempotency_key, now)


def _check_supply(order: Order, parts: list[Part]) -> None:
    named = {(part.provider or order.provider, part.model or order.model) for part in parts}
    for provider, model in sorted(named):
        keys.check_known(provider=provider, model=model)


def _to_be_planned(order: Order) -> Plan:
    order.check()
    runners.check(order.runner)
    share = min(order.total_budget * _PLANNING_PERCENT // 100, _PLANNING_TOKENS_MAX)
    if share < planning.PART_TOKENS_MIN:
        needed = planning.PART_TOKENS_MIN * 100 // _PLANNING_PERCENT
        raise BudgetTooSmall(
            f"A model plans with {_PLANNING_PERCENT} % of the budget, which is too small for that: "
            f"it needs {needed} tokens.",
            needed=needed,
            budget=order.total_budget,
        )
    return Plan([planning.planning_part(order.description)], [share])


@transaction.atomic(durable=True)
def _submit(agent, order: Order, made: Plan, idempotency_key, now) -> tuple[Task, bool]:
    if earlier := idempotency_key and _earlier(agent, idempotency_key):
        return _same(earlier, order), False
    centre = _centre(agent, order.cost_centre)
    task = Task.objects.create(
        agent_id=agent,
        cost_centre=centre,
        centres=centre.path,
        idempotency_key=idempotency_key,
        asked=order.as_json(),
        created_at=now,
        deadline_at=now + timedelta(seconds=order.timeout),
        **_columns(order),
    )
    first = 0 if made.parts[0].key == planning.PLANNING_KEY else 1
    write_sub_tasks(task, made.parts, made.shares, first=first, now=now)
    wake()
    return task, True


def _columns(order: Order) -> dict[str, object]:
    percent = order.soft_limit_percent
    return {
        "name": order.name,
        "description": order.description,
        "budget": order.total_budget,
        "reserve": reserve_of(order),
        "soft_limit": percent and max(order.total_budget * percent // 100, 1),
        "runner": order.runner,
        "model": order.model,
        "provider": order.provider,
        "planner": "given" if order.sub_tasks else order.planner,
        "parallel": order.parallel,
        "max_concurrent": order.max_concurrent,
        "retry_on_failure": order.retry_on_failure,
        "max_retries": order.max_retries,
        "waiting_seconds": order.waiting_timeout,
        "running_seconds": order.running_timeout,
        "timeout_seconds": order.timeout,
    }


def _earlier(agent: str, idempotency_key: str) -> Task | None:
    return Task.objects.filter(agent=agent, idempotency_key=idempotency_key).first()


def _same(task: Task, order: Order) -> Task:
    if task.asked != order.as_json():
        raise IdempotencyMismatch(
            "This idempotency key was used for another task.", task_id=task.pk
        )
    return task


def _centre(slug: str, asked: str) -> CostCentre:
    agent = Agent.objects.select_related("cost_centre").filter(pk=slug).first()
    if agent is None:
        raise UnknownAgent(f"There is no agent {slug}.", agent=slug)
    if agent.disabled_at:
        raise AgentDisabled(f"The agent {slug} was switched off.", agent=slug)
    centre = CostCentre.objects.filter(pk=asked).first() if asked else agent.cost_centre
    if centre is None or agent.cost_centre_id not in centre.path:
        raise UnknownCostCentre(
            f"{asked} is no cost centre of this agent: it may use {agent.cost_centre_id} and those "
            "below it.",
            cost_centre=asked,
        )
    return centre
