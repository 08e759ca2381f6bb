"""Budgets: the monthly limits in US dollars of cost centres."""

from datetime import datetime
from decimal import Decimal

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from common.money_fields import quantity
from keys.models import CostCentre, Grant, Limit, Unit

_AMOUNT = quantity()


def monthly_budgets(centres: QuerySet[CostCentre], *, now: datetime) -> dict[str, Decimal | None]:
    """The monthly limit in US dollars of each of `centres`, with what grants allow in addition now;
    None without a limit. One query."""
    limits = Limit.objects.filter(
        cost_centre=OuterRef("pk"), removed_at=None, unit=Unit.USD, period="month"
    )
    running = Grant.objects.filter(limit=OuterRef("pk"), starts_at__lte=now, ends_at__gt=now)
    granted = running.order_by().values("limit").annotate(total=Sum("amount")).values("total")
    zero = Value(Decimal(0), output_field=_AMOUNT)
    total = F("amount") + Coalesce(Subquery(granted), zero)
    budget = limits.order_by().annotate(total=total).values("total")
    return dict(centres.annotate(budget=Subquery(budget)).values_list("slug", "budget"))
