"""The charges that spend is made of."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, NullIf

from keys.books.queries.spend import SpendFilter
from keys.models import Adjustment, Charge, SettledUsage

# The model as spend is grouped by it: that of the key, where the charge names none.
_MODEL = Coalesce(NullIf("model", Value("")), "api_key__model")


def charges_of(which: SpendFilter) -> QuerySet[Charge]:
    """The settled charges that the filter's spend is the sum of, each with its adjustments."""
    charges = Charge.objects.filter(
        status=Charge.Status.SETTLED, settled_at__gte=which.since, settled_at__lt=which.until
    )
    wanted: dict[str, Any] = {
        "api_key__provider__in": which.providers,
        "api_key__in": which.key_ids,
        "allocation__agent__in": which.agents,
        "allocation__placement__path__overlap": list(which.cost_centres),
        "allocation__cost_centre__in": which.paying_centres,
        "allocation__label__in": which.labels,
    }
    conditions = Q(**{name: values for name, values in wanted.items() if values})
    if which.within is not None:
        conditions &= Q(allocation__placement__path__overlap=list(which.within))
    if which.models:
        # Only then, because it joins the keys.
        charges = charges.alias(served_model=_MODEL).filter(served_model__in=which.models)
    charges = charges.filter(conditions).select_related("allocation", "api_key")
    return charges.prefetch_related("adjustments")


def with_counted_cost(charges: QuerySet[Charge], which: SpendFilter) -> QuerySet[Charge]:
    """The charges of the filter, each with `counted_cost`: its cost with all its adjustments."""
    adjustments = Adjustment.objects.order_by().filter(
        settled_at__gte=which.since, settled_at__lt=which.until
    )
    of_charge = adjustments.filter(charge=OuterRef("pk")).values("charge")
    more = Subquery(of_charge.annotate(more=Sum("cost")).values("more"))
    # Few charges are adjusted, so the sums of the others are not looked for.
    is_adjusted = Q(pk__in=adjustments.values("charge"))
    cost = Case(When(is_adjusted, then=F("cost") + more), default=F("cost"))
    return charges.annotate(counted_cost=cost)


class Totals(NamedTuple):
    """What charges add up to with their adjustments; `cost` in USD."""

    calls: int
    tokens: int
    cost: Any


def totals_of_allocation(usage: QuerySet[SettledUsage], which: SpendFilter) -> Totals:
    """What the charges of one allocation add up to, of the `usage` that a person may see."""
    found = usage.filter(
        status=Charge.Status.SETTLED, settled_at__gte=which.since, settled_at__lt=which.until
    )
    return Totals(**found.aggregate(**{name: Sum(name, default=0) for name in Totals._fields}))


def counted(charge: Charge, names: Sequence[str]) -> dict[str, Any]:
    """What a charge counts for: these figures with all its adjustments, which were read with it."""
    adjustments = charge.adjustments.all()
    return {
        name: sum((getattr(each, name) for each in adjustments), getattr(charge, name))
        for name in names
    }
