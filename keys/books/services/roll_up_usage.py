"""Make days of usage from slices."""

from datetime import date

from django.db import transaction

from common.statements import fetch
from keys.books import sql
from keys.identity.queries.organisation import organisation
from keys.limits.services.windows import take_books_alone


def roll_up_usage() -> int:
    """Make the days that are over, and again those whose slices changed; returns how many.

    Days are those of the reporting zone: if it has changed, all are made again. Figures do not
    depend on it, because pages read the slices of days that are not made. Goes by the clock of the
    database. May run twice, also at the same time.
    """
    zone = organisation().reporting_zone
    (due,) = fetch(sql.DUE, zone=zone)
    if due.has_new:
        _wait_for_settlements()
    return _roll_up(zone, due.last) if due.has_new or due.has_changed else 0


@transaction.atomic(durable=True)
def _wait_for_settlements() -> None:
    """Return when the transactions that may have written to days that are over have ended."""
    take_books_alone()


@transaction.atomic(durable=True)
def _roll_up(zone: str, last: date) -> int:
    fetch(sql.LOCK_ROLLUP)
    fetch(sql.START_ROLLUP, zone=zone)
    (made,) = fetch(sql.ROLL_UP, zone=zone, last=last)
    return made.days
