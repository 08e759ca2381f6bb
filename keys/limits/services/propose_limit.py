"""Change limits as people do: at once, or by a second person where the policy says so."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from common import formatting
from keys.limits.services import windows
from keys.limits.services.limits import (
    Subject,
    Terms,
    end_limit,
    give_limit,
    limit_in_force,
    scope_of,
    subject_at,
    subject_of,
    terms_of,
)
from keys.models import Limit, Period, Unit
from keys.reasons import check_reason
from security import approvals
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.deciders import policy_of
from security.models import Approval
from security.refusals import ApprovalOutdated


@transaction.atomic(durable=True)
def propose_limit(
    subject: Subject, *, terms: Terms, reason: str, actor: Actor, now: datetime
) -> Approval | None:
    """Set a limit as `set_limit` does, or ask for an approval.

    A first limit and a lower one need none. A rise is one of the amount, or of the most that a
    period can allow with what is carried over. Another calendar counts as a rise without measure:
    it can begin a new window. Returns the approval, or None when the limit was set. Refusals:
    WrongValue, CostCentreClosed (of a new limit).
    """
    check_reason(reason)
    amount = terms.check()
    # The limit by which a rise is measured stays as it is until this one is set.
    windows.take_books_alone()
    limit = limit_in_force(subject, unit=terms.unit, period=terms.period)
    if limit and _same(limit, terms, amount):
        return None
    if _needs_second_person(limit, terms, amount):
        return _ask(subject, limit, terms, reason=reason, actor=actor, now=now)
    give_limit(subject, terms=terms, reason=reason, actor=actor, now=now)
    return None


@transaction.atomic(durable=True)
def propose_limit_removal(
    limit: Limit, *, reason: str, actor: Actor, now: datetime
) -> Approval | None:
    """End a limit as `remove_limit` does, or ask for an approval; returns that, or None.

    Refusals: WrongValue.
    """
    check_reason(reason)
    windows.take_books_alone()
    if policy_of(LIMIT).needs_second_person():
        return _ask(subject_of(limit), limit, None, reason=reason, actor=actor, now=now)
    end_limit(limit, reason=reason, actor=actor, now=now)
    return None


def _needs_second_person(limit: Limit | None, terms: Terms, amount: Decimal) -> bool:
    policy, unit = policy_of(LIMIT), terms.unit
    if limit is None:
        return policy.needs_second_person(unit=unit, before=None, after=amount)
    if _calendar(limit) != _calendar(terms):
        return policy.needs_second_person(unit=unit, before=limit.amount, after=None)
    most_before = limit.amount + (limit.carry_over_max or 0)
    most_after = amount + (terms.check_carry_over() or 0)
    rises = {(limit.amount, amount), (most_before, most_after)}
    return any(
        policy.needs_second_person(unit=unit, before=before, after=after) for before, after in rises
    )


def _calendar(terms: Limit | Terms) -> tuple[str, int]:
    return terms.zone, terms.reset_hour


def _same(limit: Limit, terms: Terms, amount: Decimal) -> bool:
    return (limit.amount, limit.carry_over_max, _calendar(limit)) == (
        amount,
        terms.check_carry_over(),
        _calendar(terms),
    )


def _ask(
    subject: Subject,
    limit: Limit | None,
    terms: Terms | None,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Approval:
    which: Any = terms or limit
    approval, _ = security.ask_approval(
        kind=LIMIT,
        subject=scope_of(subject),
        change={
            "unit": which.unit,
            "period": which.period,
            "before": limit and terms_of(limit),
            "after": terms
            and {
                "amount": str(terms.amount),
                "zone": terms.zone,
                "reset_hour": terms.reset_hour,
                **(
                    {"carry_over_max": str(carried)}
                    if (carried := terms.check_carry_over())
                    else {}
                ),
            },
        },
        effect=f"Now: {_words(limit)}.\nThen: {_words(terms)}.",
        reason=reason,
        actor=actor,
        now=now,
    )
    return approval


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    windows.take_books_alone()
    change, subject = approval.change, subject_at(approval.subject)
    unit, period = change["unit"], change["period"]
    limit = limit_in_force(subject, unit=unit, period=period)
    if change["before"] != (limit and terms_of(limit)):
        raise ApprovalOutdated("The limit was changed since. Ask for the change again.")
    reason = f"asked for by {approval.asked_by}: {approval.reason}"
    if change["after"]:
        terms = Terms(unit=unit, period=period, **change["after"])
        give_limit(subject, terms=terms, reason=reason, actor=actor, now=now)
    elif limit:
        end_limit(limit, reason=reason, actor=actor, now=now)


def _words(terms: Limit | Terms | None) -> str:
    """The terms of a limit as the person who decides reads them."""
    if terms is None:
        return "no limit"
    period = "in total" if terms.period == Period.TOTAL else f"per {terms.period}"
    unit = "USD" if terms.unit == Unit.USD else "tokens"
    amount = formatting.group_digits(Decimal(terms.amount))
    return f"{amount} {unit} {period}{_reset(terms)}{_carry_over(terms)}"


def _carry_over(terms: Limit | Terms) -> str:
    if not terms.carry_over_max:
        return ""
    most = formatting.group_digits(Decimal(terms.carry_over_max))
    return f", carries over up to {most} to the next {terms.period}"


def _reset(terms: Limit | Terms) -> str:
    if terms.period == Period.TOTAL:
        return ""
    when = "on the hour" if terms.period == Period.HOUR else f"at {terms.reset_hour}:00"
    return f", resets {when} {terms.zone}"


LIMIT = approvals.register(
    ApprovalKind(
        slug="limit",
        meaning="A limit of an API key, an agent or a cost centre is set, raised or removed.",
        permission="security.decide_approval",
        apply=_apply,
    )
)
