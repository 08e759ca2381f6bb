"""Periods whose usage must not grow any more: the closed months."""

from django.db import connection

from keys.books.queries import closed_usage
from keys.books.queries.closed_usage import ClosedPeriod
from reports.models import MonthClose


def _closed_months() -> list[ClosedPeriod]:
    with connection.cursor() as cursor:
        # `lock_month` waits for this, and this for a month that is being locked.
        cursor.execute("LOCK TABLE reports_monthclose IN SHARE MODE")
    return [
        ClosedPeriod(close.name, close.starts_at, close.ends_at)
        for close in MonthClose.objects.standing().order_by("month")
    ]


closed_usage.register(_closed_months)
