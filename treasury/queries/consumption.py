"""What was consumed of a provider's credit, by the slices of usage, and what of it is posted."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Max, OuterRef, QuerySet, Sum, TextField, Value
from django.db.models.functions import Concat, Substr, TruncDate, TruncHour

from keys.models import UsageSlice
from prediction.queries.run_rates import with_paces
from treasury.models import Account, AccountKind, Consumption

_CREDIT = "credit:"


class Filter(NamedTuple):
    """What the charges behind a transfer have in common."""

    day: date
    api_key: str
    cost_centre: str


class Posted(NamedTuple):
    """What is posted of a filter, in how many revisions."""

    amount: Decimal
    revisions: int


def provider_of(credit: Account) -> str:
    """The provider that sells a credit."""
    return credit.name.removeprefix(_CREDIT)


def credits() -> list[Account]:
    """The accounts of credit in USD, as charges are."""
    kept = Account.objects.filter(kind=AccountKind.CREDIT, currency="USD")
    return list(with_provider_paces(kept.filter(payees__isnull=False).distinct()).order_by("name"))


def with_provider_paces(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """The accounts, each with what was learned of the pace of its provider."""
    provider = Substr(OuterRef("name"), len(_CREDIT) + 1)
    scope = Concat(Value("provider:"), provider, output_field=TextField())
    return with_paces(accounts, scope=scope)


def consumed(credit: Account) -> Mapping[Filter, Decimal]:
    """What charges cost since the day on which the credit was opened, adjustments included."""
    since = datetime.combine(credit.created_at.astimezone(UTC).date(), time(), tzinfo=UTC)
    rows = (
        UsageSlice.objects.filter(starts_at__gte=since, api_key__provider_id=provider_of(credit))
        .annotate(day=TruncDate("starts_at", tzinfo=UTC))
        .values_list("day", "api_key_id", "cost_centre_id")
        .annotate(cost=Sum("cost"))
        .order_by("day", "api_key_id", "cost_centre_id")
    )
    return {Filter(*row[:3]): row[3] for row in rows}


def posted(credit: Account) -> Mapping[Filter, Posted]:
    """What is posted of the credit."""
    rows = (
        Consumption.objects.filter(credit_account=credit)
        .values_list("day", "api_key_id", "cost_centre_id")
        .annotate(sum=Sum("amount"), last=Max("revision"))
        .order_by()
    )
    return {Filter(*row[:3]): Posted(*row[3:]) for row in rows}


def hourly_cost(
    credit: Account, *, since: datetime, until: datetime
) -> list[tuple[datetime, Decimal]]:
    """What the provider's charges cost in each hour that has some."""
    rows = (
        UsageSlice.objects.filter(
            starts_at__gte=since, starts_at__lt=until, api_key__provider_id=provider_of(credit)
        )
        .annotate(hour=TruncHour("starts_at", tzinfo=UTC))
        .values_list("hour")
        .annotate(cost=Sum("cost"))
        .order_by("hour")
    )
    return list(rows)
