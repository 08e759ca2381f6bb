"""Reads of rails: the vendors there are, and what happened at an account with one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Sum

from treasury.models import RailAccount
from treasury.rail_list import KINDS
from treasury.rails.kinds import RailKind
from treasury.rails.webhooks import Reason

__all__ = ["RailKind", "rail_kind", "rail_kinds", "rejected_webhooks"]
_REJECTED_DAYS = 7


def rail_kinds() -> Sequence[RailKind]:
    """The vendors that rails can be connected with."""
    return list(KINDS.values())


def rail_kind(account: RailAccount) -> RailKind:
    """The vendor of an account."""
    return KINDS[account.kind]


def rejected_webhooks(account: RailAccount, *, now: datetime) -> list[tuple[str, int]]:
    """Why webhooks were rejected in the last seven days, in a sentence, and how often."""
    since = (now - timedelta(days=_REJECTED_DAYS)).date()
    counted = account.rejected.filter(day__gte=since).values("reason").annotate(sum=Sum("count"))
    sentences = {reason.value: reason.sentence for reason in Reason}
    return [(sentences[row["reason"]], row["sum"]) for row in counted.order_by("reason")]
