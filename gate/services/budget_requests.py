"""Agents ask for more budget: a person grants it, and the grant ends by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from common import formatting
from gate.refusals import TooManyBudgetRequests
from keys import services as keys
from keys.identity.queries.token_holders import token_holders
from keys.models import Agent, Limit, Period, Unit
from keys.refusals import LimitNotFound, WrongValue
from security import approvals
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated

OPEN_MAX = 5
DAYS_MAX = 31


@dataclass(frozen=True, kw_only=True)
class BudgetRequest:
    """How much an agent asks for beside a limit (`scope`, `unit`, `period`), until when, and why.

    `amount` is in whole tokens or in USD, as the unit says; it counts in each period of the limit.
    """

    scope: str
    unit: str
    period: str
    amount: Decimal | int
    until: datetime
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The request as its approval keeps it."""
        return {
            "unit": self.unit,
            "period": self.period,
            "amount": format(Decimal(self.amount).normalize(), "f"),
            "until": self.until.isoformat(),
        }


@transaction.atomic(durable=True)
def request_budget(
    agent: str,
    request: BudgetRequest,
    *,
    idempotency_key: str | None,
    actor: Actor,
    now: datetime,
) -> tuple[Approval, bool]:
    """Ask people to grant the agent more; returns the approval and whether it is new.

    The same idempotency key is the same approval. Refusals: LimitNotFound, WrongValue,
    TooManyBudgetRequests, RequestMismatch.
    """
    # One request of an agent after the other: they are counted.
    asking = Agent.objects.select_for_update(no_key=True).get(pk=agent)
    asked = Approval.objects.filter(asked_by_kind=actor.kind, asked_by_name=actor.name)
    effect = ""
    if not (idempotency_key and asked.filter(idempotency_key=idempotency_key).exists()):
        limit = _check(request, asking, now=now)
        effect = _effect(request, limit)
        if asked.waiting().filter(kind=BUDGET_REQUEST.slug).count() >= OPEN_MAX:
            raise TooManyBudgetRequests(agent=agent, open_max=OPEN_MAX)
    return security.ask_approval(
        kind=BUDGET_REQUEST,
        subject=request.scope,
        change=request.as_json(),
        effect=effect,
        reason=request.reason,
        idempotency_key=idempotency_key,
        until=request.until,
        actor=actor,
        now=now,
    )


def _check(request: BudgetRequest, agent: Agent, *, now: datetime) -> Limit:
    """The limit that the request is about. Refusals: LimitNotFound, WrongValue."""
    keys.Terms(unit=request.unit, period=request.period, amount=request.amount).check()
    if not request.amount:
        raise WrongValue("Ask for more than nothing.", field="amount")
    if not now < request.until <= now + timedelta(days=DAYS_MAX):
        raise WrongValue(f"Use a moment within the next {DAYS_MAX} days.", field="until")
    payers = {f"agent:{agent.pk}", *(f"centre:{slug}" for slug in agent.cost_centre.path)}
    limit = _limit(request.scope, request.unit, request.period) if request.scope in payers else None
    if limit is None:
        raise LimitNotFound(scope=request.scope, unit=request.unit, period=request.period)
    return limit


def _limit(scope: str, unit: str, period: str) -> Limit | None:
    return keys.limit_in_force(keys.subject_at(scope), unit=unit, period=period)


def _effect(request: BudgetRequest, limit: Limit) -> str:
    window = limit.windows.get(closed_at=None)
    period = "in total" if limit.period == Period.TOTAL else f"per {limit.period}"

    def words(number: Decimal | int) -> str:
        unit = "USD" if limit.unit == Unit.USD else "tokens"
        return f"{formatting.group_digits(Decimal(number))} {unit}"

    return (
        f"{limit.scope} may use {words(window.amount)} {period}; {words(window.used)} are used and "
        f"{words(window.committed)} committed.\n"
        f"Until {request.until:%Y-%m-%d %H:%M} UTC it may use {words(request.amount)} more "
        f"{period}."
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    change = approval.change
    limit = _limit(approval.subject, change["unit"], change["period"])
    if limit is None:
        raise ApprovalOutdated("The limit was removed since: the agent needs no grant.")
    keys.grant(
        limit,
        amount=Decimal(change["amount"]),
        until=datetime.fromisoformat(change["until"]),
        approval=approval,
        actor=actor,
        now=now,
    )


BUDGET_REQUEST = approvals.register(
    ApprovalKind(
        slug="budget_request",
        meaning="An agent asks for more than a limit of it or its cost centres allows. Approving "
        "lets the limit allow it from then on, until the grant ends by itself.",
        permission="keys.decide_budget_request",
        apply=_apply,
        holders=token_holders,
    )
)
