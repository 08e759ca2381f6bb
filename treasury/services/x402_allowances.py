"""Say what an agent may pay to services by x402, with a second person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from keys.models import Agent
from keys.reasons import check_reason
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.audit_actions import Action
from treasury.models import AccountKind, RailAccount, X402Allowance
from treasury.rails.x402.addresses import checksummed
from treasury.rails.x402.kind import X402
from treasury.rails.x402.rail import X402Rail
from treasury.refusals import WrongAllowance
from treasury.services.accounts import AccountTerms, open_account

PAYEES_MAX = 50
_AMOUNTS = ("per_payment_max", "daily_max", "monthly_max")


@dataclass(frozen=True, kw_only=True)
class AllowanceTerms:
    """The terms of an `X402Allowance`; `rail` is the wallet, `payees` are addresses."""

    agent: str
    rail: str
    per_payment_max: Decimal
    daily_max: Decimal
    monthly_max: Decimal
    payees: Sequence[str]


def propose_allowance(
    terms: AllowanceTerms, *, reason: str, actor: Actor, now: datetime
) -> Approval:
    """Ask a second person to set the allowance of an agent.

    Refusals: WrongValue, WrongAllowance.
    """
    check_reason(reason)
    change = _checked(terms)
    with transaction.atomic(durable=True):
        approval, _ = security.ask_approval(
            kind=X402_ALLOWANCE,
            subject=f"agent:{terms.agent}",
            change=change,
            effect=(
                f"{terms.agent} may have payments signed by {terms.rail}, with play money: at most "
                f"{terms.per_payment_max:f} at once, {terms.daily_max:f} in a day and "
                f"{terms.monthly_max:f} in a month, to {', '.join(change['payees'])}."
            ),
            reason=reason,
            actor=actor,
            now=now,
        )
    return approval


def _checked(terms: AllowanceTerms) -> dict[str, Any]:
    """The terms as JSON. Refusals: WrongAllowance."""
    if not Agent.objects.filter(pk=terms.agent).exists():
        raise WrongAllowance(f"There is no agent named {terms.agent}.")
    if not RailAccount.objects.filter(pk=terms.rail, kind=X402.slug).exists():
        raise WrongAllowance(f"There is no wallet of x402 named {terms.rail}. Add it as a rail.")
    amounts = [getattr(terms, name) for name in _AMOUNTS]
    if not all(each.is_finite() and each == round(each, X402Rail.scale) for each in amounts):
        raise WrongAllowance(f"An amount has at most {X402Rail.scale} decimal places.")
    if not 0 < amounts[0] <= amounts[1] <= amounts[2]:
        raise WrongAllowance(
            "The most per payment is above 0 and fits into a day, and that of a day into a month."
        )
    try:
        payees = sorted({checksummed(each.strip()) for each in terms.payees})
    except ValueError as error:
        raise WrongAllowance(str(error)) from None
    if not 0 < len(payees) <= PAYEES_MAX:
        raise WrongAllowance(f"Name 1 to {PAYEES_MAX} addresses that may be paid.")
    shown = {name: format(getattr(terms, name), "f") for name in _AMOUNTS}
    return {"agent": terms.agent, "rail": terms.rail, **shown, "payees": payees}


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    change = approval.change
    amounts = {name: Decimal(change[name]) for name in _AMOUNTS}
    try:
        _checked(AllowanceTerms(**{**change, **amounts}))
    except WrongAllowance as refusal:
        raise ApprovalOutdated(str(refusal)) from refusal
    terms = AccountTerms(
        name=f"rail:{change['rail']}",
        kind=AccountKind.RAIL,
        currency=X402Rail.currency,
        scale=X402Rail.scale,
    )
    open_account(terms, actor=actor, now=now)
    X402Allowance.objects.update_or_create(
        agent_id=change["agent"],
        defaults={
            **amounts,
            "rail_id": change["rail"],
            "payees": change["payees"],
            "approval": approval,
            "asked_persons": approval.asked_persons,
            "approved_persons": approval.decided_persons,
            "changed_at": now,
        },
    )
    audit.record(
        actor=actor,
        action=Action.X402_ALLOW,
        subject=f"agent:{change['agent']}",
        after=change,
        at=now,
    )


X402_ALLOWANCE = approvals.register(
    ApprovalKind(
        slug="x402_allowance",
        meaning="Somebody asked to let an agent pay services that answer HTTP 402, with play "
        "money, up to bounds. Approving sets the bounds and the addresses that may be paid.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
