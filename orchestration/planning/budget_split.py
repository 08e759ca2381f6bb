"""Split a budget among parts: whole tokens, exact integer arithmetic, never more than the budget.

    weighted   = estimate × weight of the priority
    allocation = weighted / Σ estimates × (total − reserve), rounded up to the next 100

If the sum exceeds what is available, all shares are scaled down by largest remainder.
"""

from collections.abc import Sequence

from orchestration.planning.base import WEIGHTS, Part
from orchestration.refusals import BudgetTooSmall

PART_TOKENS_MIN = 100
ROUNDED_TO = 100
# Doubled weights are integers, so they need no rounding.
_DOUBLED = {priority: int(2 * weight) for priority, weight in WEIGHTS.items()}


def split(parts: Sequence[Part], *, total: int, reserve: int = 0) -> list[int]:
    """The share of each part in tokens; the sum is at most `total` − `reserve`.

    Refusal: BudgetTooSmall if there are fewer than PART_TOKENS_MIN tokens for each part.
    """
    available = total - max(reserve, 0)
    _check_enough(len(parts), available, total=total, reserve=reserve)
    divisor = 2 * ROUNDED_TO * sum([part.estimated_tokens for part in parts])
    weighted = [part.estimated_tokens * _DOUBLED[part.priority] for part in parts]
    shares = [-(-each * available // divisor) * ROUNDED_TO for each in weighted]
    return shares_within(shares, total=available)


def shares_within(shares: list[int], *, total: int) -> list[int]:
    """The same shares if they fit into `total`, else shares in proportion that sum to it exactly.

    Largest remainder: each share is rounded down, and the remaining tokens go one by one to the
    shares that lost the most, the earlier first. Every share is at least 1. Refusal:
    BudgetTooSmall if there are fewer tokens than shares.
    """
    if sum(shares) <= total:
        return shares
    _check_one_each(len(shares), total)
    lowered = _in_proportion(shares, total)
    if min(lowered) > 0:
        return lowered
    spare = [max(share - 1, 0) for share in lowered]
    return [1 + share for share in _in_proportion(spare, total - len(shares))]


def _in_proportion(shares: list[int], total: int) -> list[int]:
    claimed = sum(shares) or 1
    products = [share * total for share in shares]
    lowered = [product // claimed for product in products]
    left = total - sum(lowered)
    if left < 1:
        return lowered
    lost = [product % claimed for product in products]
    # Shares that lost more than `least` get a token, then the first ones that lost exactly that.
    least = sorted(lost, reverse=True)[left - 1]
    equals = left - sum(each > least for each in lost)
    for index, each in enumerate(lost):
        if each > least:
            lowered[index] += 1
        elif each == least and equals:
            lowered[index] += 1
            equals -= 1
    return lowered


def _check_one_each(count: int, total: int) -> None:
    if total < count:
        raise BudgetTooSmall(
            f"{count:,} sub-tasks need at least one token each; {max(total, 0):,} tokens are left.",
            needed=count,
            budget=total,
        )


def _check_enough(count: int, available: int, *, total: int, reserve: int) -> None:
    needed = count * PART_TOKENS_MIN
    if available < needed:
        kept = f", of which {reserve:,} are kept for retries" if reserve > 0 else ""
        raise BudgetTooSmall(
            f"{count:,} sub-tasks need at least {PART_TOKENS_MIN} tokens each, {needed:,} in all; "
            f"the budget is {total:,} tokens{kept}.",
            needed=needed + max(reserve, 0),
            budget=total,
            reserve=reserve,
        )
