"""Builders of closed months for tests."""

from datetime import UTC, date, datetime, timedelta

from keys.books.queries.books_check import books_check
from keys.models import BooksCheck
from reports import services as reports
from security.actor import Actor
from tests.gate.approvals import person

MARCH = date(2026, 3, 1)
APRIL = date(2026, 4, 1)
MAY = date(2026, 5, 1)
# When March and April are over everywhere.
IN_APRIL = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)
IN_MAY = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
IN_JUNE = datetime(2026, 6, 2, 12, 0, tzinfo=UTC)
WAIVED = dict.fromkeys(
    (
        *("books", "estimates", "prices", "days", "holds", "approvals", "unallocated"),
        "bill-openai",
    ),
    "agreed",
)


def lock(month=MARCH, *, now=IN_APRIL, waivers=WAIVED, actor=None):
    """Lock the month, with reasons for all that may be open."""
    actor = actor or Actor.person("vera")
    return reports.lock_month(month=month, waivers=waivers, actor=actor, now=now)


def sign(close, *names, now=IN_APRIL):
    """Each of the persons signs."""
    for name in names:
        close = reports.sign_month(close, actor=Actor.person(name), now=now)
    return close


def signers():
    """Vera and Paul, who close months."""
    return person("vera"), person("paul")


def check_books(night, *, now):
    """A books check that has found nothing."""
    return BooksCheck.objects.create(
        night=night,
        attempt=1,
        begun_at=now - timedelta(minutes=5),
        finished_at=now,
        checks=len(books_check()),
        findings=[],
    )
