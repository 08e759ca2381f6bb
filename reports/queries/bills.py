"""Which providers send a bill for a month, and how much of it was compared with the charges."""

from typing import NamedTuple

from keys.books.queries.spend import SpendFilter, spend_by
from keys.models import ApiKey
from reports.month_periods import MonthPeriod
from treasury.queries import bill_coverage


class BillOfMonth(NamedTuple):
    """How many of the UTC `days` of a month were compared with the reports of a provider."""

    provider: str
    compared: int
    days: int


def bills(period: MonthPeriod) -> list[BillOfMonth]:
    """The bills that providers send for the month, by the names of the providers; four queries.

    A provider sends one if calls of the month cost real money. Calls on sandbox keys do not, and
    neither do those of a provider whose credit is bought with play money.
    """
    groups = spend_by(SpendFilter(period.starts_at, period.ends_at), by="key")
    billed = [each.group for each in groups if each.spend.cost or each.spend.provider_cost]
    api_keys = ApiKey.objects.filter(pk__in=billed, sandbox=False).order_by()
    providers = sorted(set(api_keys.values_list("provider", flat=True)))
    coverage = bill_coverage(providers, since=period.month, until=period.last_day)
    days = period.last_day.day
    return [BillOfMonth(provider, compared, days) for provider, compared in coverage.items()]
