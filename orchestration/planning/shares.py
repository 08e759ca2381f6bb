"""How a budget is split: whole tokens, by exact integer arithmetic, never more than there are.

    weighted   = estimate × weight of the priority
    allocation = weighted / Σ estimates × (total − reserve), rounded up to the next 100

Where that comes to more than there is, all are scaled down by largest remainder.
"""

from collections.abc import Sequence

from orchestration.planning.base import WEIGHTS, Part
from orchestration.refusals import BudgetTooSmall

PART_TOKENS_MIN = 100
ROUNDED_TO = 100
# Twice the weights are whole numbers, which need no rounding.
_DOUBLED = {priority: int(2 * weight) for priority, weight in WEIGHTS.items()}


def split(parts: Sequence[Part], *, total: int, reserve: int = 0) -> list[int]:
    """The share of each part, in tokens: together at most `total` − `reserve`.

    Refusal: BudgetTooSmall if that is less than PART_TOKENS_MIN for each.
    """
    available = total - max(reserve, 0)
    _check_enough(len(parts), available, total=total, reserve=reserve)
    divisor = 2 * ROUNDED_TO * sum(part.estimated_tokens for part in parts)
    shares = [
        -(-part.estimated_tokens * _DOUBLED[part.priority] * available // divisor) * ROUNDED_TO
        for part in parts
    ]
    return scaled(shares, total=available)


def scaled(shares: list[int], *, total: int) -> list[int]:
    """The same shares if they fit into `total`; else in proportion, so that they sum to it exactly.

    Largest remainder: each is its exact proportion rounded down, and the tokens left over go one
    each to those that lost most by it, the earlier first. None falls below 1. Refusal:
    BudgetTooSmall if there is not one token for each.
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
    divided = [divmod(share * total, claimed) for share in shares]
    lowered = [whole for whole, _ in divided]
    lost = [remainder for _, remainder in divided]
    most_lost = sorted(range(len(shares)), key=lost.__getitem__, reverse=True)
    for index in most_lost[: total - sum(lowered)]:
        lowered[index] += 1
    return lowered


def _check_one_each(count: int, total: int) -> None:
    if total < count:
        raise BudgetTooSmall(
            f"{count:,} sub-tasks need at least one token each; {max(total, 0):,} are left.",
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
