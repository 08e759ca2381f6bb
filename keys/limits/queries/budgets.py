"""Budgets: limits of cost centres and agents, as far as they last."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import (
    DateTimeField,
    DurationField,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.expressions import Combinable, ExpressionWrapper
from django.db.models.functions import Coalesce, Extract

from common.money_fields import quantity
from keys.models import CostCentre, Grant, Limit, Unit, Window

_NOTHING = Value(Decimal(0), output_field=quantity())
# Of a period, in percent: before that much is over, its pace says nothing.
_PACE_PERCENT_MIN = 10


def monthly_budgets(centres: QuerySet[CostCentre], *, now: datetime) -> dict[str, Decimal | None]:
    """What each of `centres` may use this month by its limit in US dollars, with what was carried
    over and what grants allow in addition now; None without a limit. One query."""
    limits = Limit.objects.filter(
        cost_centre=OuterRef("pk"), removed_at=None, unit=Unit.USD, period="month"
    )
    carried = Window.objects.filter(limit=OuterRef("pk"), closed_at=None, ends_at__gt=now)
    total = (
        F("amount")
        + Coalesce(Subquery(carried.order_by().values("carried")[:1]), _NOTHING)
        + granted("pk", now)
    )
    budget = limits.order_by().annotate(total=total).values("total")
    return dict(centres.annotate(budget=Subquery(budget)).values_list("slug", "budget"))


def budgets_running_out(windows: QuerySet[Window], *, percent: int, now: datetime) -> QuerySet[Any]:
    """Those of `windows`, of cost centres and agents, that will not last at the pace of their
    period: more than `percent` of them would be used at its end, or all of them are used.

    Each has `allowed`, its amount with the grants of now.
    """
    over = _seconds(Value(now, DateTimeField()) - F("starts_at"))
    length = _seconds(F("ends_at") - F("starts_at"))
    running = windows.filter(closed_at=None, ends_at__gt=now, limit__api_key=None, used__gt=0)
    paced = running.exclude(limit__period="total").annotate(
        allowed=F("amount") + granted("limit", now), over=over, length=length
    )
    too_fast = Q(over__gte=F("length") * _PACE_PERCENT_MIN / 100) & Q(
        used__gt=F("allowed") * F("over") * percent / (F("length") * 100)
    )
    return paced.filter(too_fast | Q(used__gte=F("allowed"))).order_by("ends_at", "scope")


def lasts_until(window: Any, *, now: datetime) -> datetime:
    """When one of `budgets_running_out` is used up at its pace; now, if it is."""
    if window.used >= window.allowed:
        return now
    lasts: datetime = window.starts_at + (now - window.starts_at) * float(
        window.allowed / window.used
    )
    return lasts


def granted(limit: str, now: datetime) -> Combinable:
    """What grants allow in addition now to the limit that the column `limit` names."""
    running = Grant.objects.filter(limit=OuterRef(limit), starts_at__lte=now, ends_at__gt=now)
    total = running.order_by().values("limit").annotate(total=Sum("amount")).values("total")
    return Coalesce(Subquery(total), _NOTHING)


def _seconds(duration: Combinable) -> Combinable:
    return Extract(ExpressionWrapper(duration, output_field=DurationField()), "epoch")
