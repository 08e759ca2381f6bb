"""Set, pause and resume purchase policies."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction

from keys.reasons import check_reason
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.audit_actions import Action
from treasury.models import Payee, PurchaseMethod, PurchasePolicy
from treasury.refusals import WrongPolicy
from treasury.services.purchase_alerts import resolve_pause

_AMOUNTS = (
    *("threshold", "target", "per_purchase_max", "daily_max", "monthly_max", "approval_above"),
)


@dataclass(frozen=True, kw_only=True)
class BuyingTerms:
    """The terms of a purchase policy, see `PurchasePolicy`."""

    payee: str
    threshold: Decimal
    target: Decimal
    per_purchase_max: Decimal
    daily_max: Decimal
    monthly_max: Decimal
    approval_above: Decimal
    cool_off_seconds: int = 3600
    declines_max: int = 4
    quiet_from: time | None = None
    quiet_until: time | None = None
    zone: str = "UTC"
    is_automatic: bool = True

    def check(self) -> None:
        """Refusals: WrongPolicy."""
        for wrong, sentence in (
            (
                not all(getattr(self, name).is_finite() for name in _AMOUNTS),
                "An amount is not a number.",
            ),
            (self.threshold < 0, "The threshold must not be negative."),
            (
                self.target <= self.threshold,
                "The target must be above the threshold: otherwise Butler would buy again and "
                "again.",
            ),
            (self.per_purchase_max <= 0, "The most per purchase must be more than 0."),
            (
                not self.per_purchase_max <= self.daily_max <= self.monthly_max,
                "The most per purchase must fit into a day, and that of a day into a month.",
            ),
            (self.approval_above < 0, "The amount above which a person approves is negative."),
            (self.cool_off_seconds < 60, "The cool-off must be 60 seconds or more."),
            (self.declines_max < 1, "Allow one decline at least."),
            (
                (self.quiet_from is None) != (self.quiet_until is None),
                "Quiet hours need a beginning and an end.",
            ),
            (not _is_zone(self.zone), f"There is no zone named {self.zone}."),
        ):
            if wrong:
                raise WrongPolicy(sentence)


def propose_policy(
    terms: BuyingTerms, *, reason: str, actor: Actor, now: datetime
) -> tuple[Approval, bool]:
    """Ask a second person to set the policy of the credit that the payee sells.

    Returns the approval and whether it is new. Refusals: WrongValue, WrongPolicy.
    """
    check_reason(reason)
    terms.check()
    payee = _payee(terms)
    with transaction.atomic(durable=True):
        return security.ask_approval(
            kind=PURCHASE_POLICY,
            subject=f"purchase_policy:{payee.credit_account}",
            change=_as_json(terms),
            effect=_effect(terms, payee),
            reason=reason,
            actor=actor,
            now=now,
        )


@transaction.atomic(durable=True)
def pause_policy(policy_id: int, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Buy nothing more by this policy until it is resumed; whether it was not paused before."""
    if not reason.strip():
        raise WrongPolicy("Say why the policy is paused.")
    return pause(policy_id, reason=reason, actor=actor, now=now)


def pause(policy_id: int, *, reason: str, actor: Actor, now: datetime) -> bool:
    """As `pause_policy`, in the caller's transaction."""
    running = PurchasePolicy.objects.filter(pk=policy_id, paused_at=None)
    if not running.update(paused_at=now, paused_reason=reason[:300]):
        return False
    _record(policy_id, Action.POLICY_PAUSE, reason=reason, actor=actor, now=now)
    return True


@transaction.atomic(durable=True)
def resume_policy(policy_id: int, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Let the policy buy again, without the declines it has counted; whether it was paused."""
    if not reason.strip():
        raise WrongPolicy("Say why the policy is resumed.")
    paused = PurchasePolicy.objects.filter(pk=policy_id, paused_at__isnull=False)
    if not paused.update(paused_at=None, paused_reason="", declines=0, next_at=None):
        return False
    _record(policy_id, Action.POLICY_RESUME, reason=reason, actor=actor, now=now)
    resolve_pause(policy_id, actor=actor, note=reason, now=now)
    return True


def _payee(terms: BuyingTerms) -> Payee:
    listed = Payee.objects.select_related("credit_account").filter(retired_at=None)
    payee = listed.filter(pk=terms.payee).first()
    if payee is None:
        raise WrongPolicy(f"No payee named {terms.payee} is on the list.")
    if payee.method == PurchaseMethod.VENDOR and terms.is_automatic:
        raise WrongPolicy(
            f"{payee.provider_id} reloads this credit by itself, so Butler does not buy it, too."
        )
    return payee


def _effect(terms: BuyingTerms, payee: Payee) -> str:
    if payee.method == PurchaseMethod.VENDOR:
        return (
            f"{payee.provider_id} may reload its credit by itself from {payee.rail}: at most "
            f"{terms.per_purchase_max:f} at once and never more than {terms.approval_above:f}, "
            f"{terms.daily_max:f} in a day and {terms.monthly_max:f} in a month. Butler sends "
            "nothing, and tells people of what is more."
        )
    automatic = (
        f"Butler buys credit of {payee.provider_id} by itself when there is less than "
        f"{terms.threshold:f}, up to {terms.target:f}."
        if terms.is_automatic
        else f"People buy credit of {payee.provider_id}; Butler does not by itself."
    )
    return (
        f"{automatic} {payee.destination} is paid by {payee.rail}: at most "
        f"{terms.per_purchase_max:f} at once, {terms.daily_max:f} in a day and "
        f"{terms.monthly_max:f} in a month. A purchase above {terms.approval_above:f} needs a "
        "second person."
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    terms = _from_json(approval.change)
    try:
        terms.check()
        payee = _payee(terms)
    except WrongPolicy as refusal:
        raise ApprovalOutdated(str(refusal)) from refusal
    PurchasePolicy.objects.update_or_create(
        credit_account=payee.credit_account,
        defaults={
            **{name: value for name, value in asdict(terms).items() if name != "payee"},
            "payee": payee,
            "approval": approval,
            "asked_persons": approval.asked_persons,
            "approved_persons": approval.decided_persons,
            "changed_at": now,
        },
    )
    audit.record(
        actor=actor,
        action=Action.POLICY_SET,
        subject=f"purchase_policy:{payee.credit_account}",
        after=approval.change,
        at=now,
    )


def _as_json(terms: BuyingTerms) -> dict[str, Any]:
    return {
        name: format(value, "f")
        if isinstance(value, Decimal)
        else value.isoformat()
        if isinstance(value, time)
        else value
        for name, value in asdict(terms).items()
    }


def _from_json(change: dict[str, Any]) -> BuyingTerms:
    given = {field.name: change[field.name] for field in fields(BuyingTerms)}
    amounts = {name: Decimal(given[name]) for name in _AMOUNTS}
    hours = {
        name: given[name] and time.fromisoformat(given[name])
        for name in ("quiet_from", "quiet_until")
    }
    return BuyingTerms(**{**given, **amounts, **hours})


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _record(policy_id: int, action: Action, *, reason: str, actor: Actor, now: datetime) -> None:
    policy = PurchasePolicy.objects.select_related("credit_account").get(pk=policy_id)
    audit.record(
        actor=actor,
        action=action,
        subject=f"purchase_policy:{policy.credit_account}",
        reason=reason,
        at=now,
    )


PURCHASE_POLICY = approvals.register(
    ApprovalKind(
        slug="purchase_policy",
        meaning="Somebody asked to set how much credit of a provider can be bought, from whom, and "
        "when Butler buys by itself. Approving sets it.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
