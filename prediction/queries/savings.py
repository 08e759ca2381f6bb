"""What could be saved, in all and row by row."""

from collections.abc import Iterable
from decimal import Decimal

from django.db.models import QuerySet

from prediction.models import IDLE_MONEY, Saving
from prediction.savings.portions import Proposal, total_once


def savings_total(rows: Iterable[Saving]) -> Decimal:
    """What these proposals save together, each dollar once; idle money is not spent, so it does
    not count (USD)."""
    return total_once(
        Proposal(each.amount, each.spent) for each in rows if each.kind not in IDLE_MONEY
    )


def open_savings(rows: QuerySet[Saving]) -> QuerySet[Saving]:
    """Those of the rows that are open."""
    return rows.filter(status=Saving.Status.OPEN)


def agent_savings(agent: str) -> QuerySet[Saving]:
    """The proposals about one agent."""
    return Saving.objects.filter(subject=f"agent:{agent}")
