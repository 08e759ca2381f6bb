"""The rules by which Butler buys credit by itself: pure, so that they can be tried on the past."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

from common.formatting import dollars
from treasury.models import PurchasePolicy


@dataclass(frozen=True)
class Decision:
    """How much is bought now, 0 for nothing, and why."""

    amount: Decimal
    why: str


def decide(
    policy: PurchasePolicy,
    *,
    credit: Decimal,
    left: Mapping[str, Decimal],
    scale: int,
    now: datetime,
) -> Decision:
    """Whether and how much to buy.

    `credit`: what there is, with all that was or may have been paid for. `left`: what each bound
    still allows (`treasury.bounds.left`). Less than the target is bought where a bound is lower.
    """
    if why_not := _why_not(policy, credit, now):
        return Decision(Decimal(0), why_not)
    cent = Decimal(1).scaleb(-scale)
    needed = (policy.target - credit).quantize(cent, ROUND_CEILING)
    bound = min(left, key=lambda name: left[name])
    amount = min(needed, left[bound].quantize(cent, ROUND_FLOOR))
    if amount <= 0:
        return Decision(Decimal(0), f"No more is allowed {bound}.")
    less = f"less than {dollars(policy.threshold)}"
    return Decision(amount, f"There is {dollars(credit)} of credit, {less}.")


def _why_not(policy: PurchasePolicy, credit: Decimal, now: datetime) -> str:
    if policy.paused_at:
        return f"The policy is paused: {policy.paused_reason}"
    if not policy.is_automatic:
        return "Only people buy this credit."
    if credit >= policy.threshold:
        return "There is enough credit."
    if not policy.is_armed:
        return "The last purchase has not ended."
    if policy.next_at and now < policy.next_at:
        return f"The last attempt was a short time ago: the next one is at {policy.next_at:%H:%M}."
    if is_quiet(policy, now):
        return "These are the quiet hours of the policy."
    return ""


def is_quiet(policy: PurchasePolicy, now: datetime) -> bool:
    """Whether the moment is within the quiet hours, which may go past midnight."""
    if policy.quiet_from is None or policy.quiet_until is None:
        return False
    local = now.astimezone(ZoneInfo(policy.zone)).time()
    if policy.quiet_from <= policy.quiet_until:
        return policy.quiet_from <= local < policy.quiet_until
    return local >= policy.quiet_from or local < policy.quiet_until
