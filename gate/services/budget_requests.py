"""Agents and people ask for more budget: a person grants it, and the grant ends by itself."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from common import formatting
from gate.refusals import TooManyBudgetRequests
from keys import services as keys
from keys.books.queries.pages import budget_meters
from keys.identity.queries.token_holders import token_holders
from keys.models import Agent, Limit, Period, Unit, Window
from keys.refusals import CostCentreClosed, LimitNotFound, WrongValue
from security import approvals
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.deciders import AmountRule, amount_rule
from security.models import Approval
from security.refusals import ApprovalOutdated

OPEN_MAX = 5
DAYS_MAX = 31
# API keys are not among them: their limits say what a provider gives.
_PAYERS = ("agent:", "centre:")


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
            "until": self.until.astimezone(UTC).isoformat(),
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

    The same idempotency key is the same approval. Refusals: LimitNotFound, CostCentreClosed,
    WrongValue, TooManyBudgetRequests, RequestMismatch.
    """
    # One request of an agent after the other: they are counted.
    asking = Agent.objects.select_for_update(no_key=True).get(pk=agent)
    payers = {f"agent:{asking.pk}", *(f"centre:{slug}" for slug in asking.cost_centre.path)}
    return _ask(request, idempotency_key, payers=payers, actor=actor, now=now)


@transaction.atomic(durable=True)
def ask_for_budget(
    request: BudgetRequest, *, idempotency_key: str | None, actor: Actor, now: datetime
) -> tuple[Approval, bool]:
    """A person asks others to grant an agent or a cost centre more; returns as `request_budget`.

    The caller says whether the person may see the limit. Refusals: those of `request_budget`.
    """
    # One request of a person after the other: they are counted.
    get_user_model().objects.select_for_update(no_key=True).get(username=actor.name)
    return _ask(request, idempotency_key, actor=actor, now=now)


def budget_effect(request: BudgetRequest, *, now: datetime) -> str:
    """What the request would do now, in figures. Refusals: LimitNotFound, WrongValue."""
    return _effect(request, _check(request, now=now), now=now)


def budget_rule(request: BudgetRequest, *, now: datetime) -> str:
    """Who would have to approve the request, in words; empty if no policy has thresholds.

    Refusals: LimitNotFound, WrongValue.
    """
    return _rule(request, _check(request, now=now)).words


def _rule(request: BudgetRequest, limit: Limit) -> AmountRule:
    centre = limit.cost_centre or (limit.agent.cost_centre if limit.agent else None)
    return amount_rule(
        BUDGET_REQUEST,
        path=centre.path if centre else [],
        unit=request.unit,
        amount=Decimal(request.amount),
        of=limit.amount,
    )


def _ask(
    request: BudgetRequest,
    idempotency_key: str | None,
    *,
    payers: set[str] | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[Approval, bool]:
    asked = Approval.objects.filter(asked_by_kind=actor.kind, asked_by_name=actor.name)
    effect, rule = "", AmountRule()
    if not (idempotency_key and asked.filter(idempotency_key=idempotency_key).exists()):
        limit = _check(request, payers, now=now)
        effect, rule = _effect(request, limit, now=now), _rule(request, limit)
        if asked.waiting().filter(kind=BUDGET_REQUEST.slug).count() >= OPEN_MAX:
            raise TooManyBudgetRequests(agent=actor.name, open_max=OPEN_MAX)
    return security.ask_approval(
        kind=BUDGET_REQUEST,
        subject=request.scope,
        change=request.as_json(),
        effect=effect,
        reason=request.reason,
        idempotency_key=idempotency_key,
        until=request.until,
        rule=rule,
        actor=actor,
        now=now,
    )


def _check(request: BudgetRequest, payers: set[str] | None = None, *, now: datetime) -> Limit:
    """The limit that the request is about: one of `payers`, if given. Refusals: LimitNotFound,
    CostCentreClosed, WrongValue."""
    keys.Terms(unit=request.unit, period=request.period, amount=request.amount).check()
    if not request.amount:
        raise WrongValue("Ask for more than nothing.", field="amount")
    if not now < request.until <= now + timedelta(days=DAYS_MAX):
        raise WrongValue(f"Use a moment within the next {DAYS_MAX} days.", field="until")
    is_payer = request.scope.startswith(_PAYERS) if payers is None else request.scope in payers
    limit = _limit(request.scope, request.unit, request.period) if is_payer else None
    if limit is None:
        raise LimitNotFound(scope=request.scope, unit=request.unit, period=request.period)
    if limit.cost_centre and limit.cost_centre.closed_at:
        raise CostCentreClosed(cost_centre=limit.cost_centre.pk)
    return limit


def _limit(scope: str, unit: str, period: str) -> Limit | None:
    return keys.limit_in_force(keys.subject_at(scope), unit=unit, period=period)


def _effect(request: BudgetRequest, limit: Limit, *, now: datetime) -> str:
    (meter,) = budget_meters(Window.objects.filter(limit=limit), now=now)
    period = "in total" if limit.period == Period.TOTAL else f"per {limit.period}"

    def words(number: Decimal | int) -> str:
        unit = "USD" if limit.unit == Unit.USD else "tokens"
        return f"{formatting.group_digits(Decimal(number))} {unit}"

    more = f" and {words(meter.granted)} more by grants" if meter.granted else ""
    return (
        f"{limit.scope} may use {words(meter.amount)} {period}{more}; {words(meter.used)} are used "
        f"and {words(meter.committed)} committed, so {words(meter.free)} are free.\n"
        f"Until {request.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC it may use "
        f"{words(request.amount)} more {period}: {words(meter.free_with(request.amount))} would be "
        "free now."
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    change = approval.change
    limit = _limit(approval.subject, change["unit"], change["period"])
    if limit is None:
        raise ApprovalOutdated("The limit was removed since: the agent needs no grant.")
    if limit.cost_centre and limit.cost_centre.closed_at:
        raise ApprovalOutdated("The cost centre was closed since: it pays for nothing new.")
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
        meaning="An agent or a person asks for more than a limit allows. Approving lets the limit "
        "allow it from then on, until the grant ends by itself.",
        permission="keys.decide_budget_request",
        apply=_apply,
        by_amount=True,
        holders=token_holders,
    )
)
