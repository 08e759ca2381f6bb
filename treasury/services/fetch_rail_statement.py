"""Fetch the statements of rails from their vendors: whole days, kept as they came."""

from datetime import UTC, date, datetime, timedelta

from security.actor import Actor
from treasury.models import RailStatement
from treasury.rail_list import rail_to_read, statement_formats
from treasury.rails.base import Answer, Outcome, StatementRail
from treasury.refusals import RailStatementUnreadable
from treasury.services.import_rail_statement import RailStatementFile, keep_rail_statement
from treasury.services.rail_health import note_answer

_DAY = timedelta(days=1)
# What vendors tell of a day may be late; and what is asked for at once has bounds.
_OVER_AFTER, _DAYS_MAX = timedelta(hours=4), 31


def fetch_rail_statement(
    account: str, *, since: date | None = None, actor: Actor, now: datetime
) -> tuple[RailStatement, int]:
    """Fetch the statement of an account `rail:…` from its vendor, keep it, and match it with the
    ledger: the days after the last statement, or from `since` on, which are over in UTC; at most
    31. Returns it and how many differences of the account are open.

    Nothing moves, so it works with a rail that is switched off. Refusals: AccountNotFound,
    RailNotFound, RailStatementUnreadable, RailStatementOverlaps.
    """
    slug = account.removeprefix("rail:")
    format_name = statement_formats().get(slug, "")
    rail = rail_to_read(slug) if format_name else None
    if not isinstance(rail, StatementRail):
        raise RailStatementUnreadable(f"The vendor of {account} tells no statement. Import a file.")
    first, last = _days(account, since, now)
    fetched = rail.fetch_statement(since=first, until=last)
    if fetched.problem:
        note_answer(slug, Answer(outcome=Outcome.UNKNOWN, message=fetched.problem), now=now)
        raise RailStatementUnreadable(fetched.problem)
    file = RailStatementFile(account=account, format=format_name, content=fetched.content)
    return keep_rail_statement(file, actor=actor, now=now)


def _days(account: str, since: date | None, now: datetime) -> tuple[date, date]:
    earlier = RailStatement.objects.filter(account__name=account).defer("content").first()
    first = since
    if first is None and earlier is not None:
        first = earlier.until + _DAY
    if first is None:
        raise RailStatementUnreadable("Say from which day on: there is no statement before it.")
    last = last_day_over(now)
    if first > last:
        raise RailStatementUnreadable(f"No day since {first} is over: the last one is {last}.")
    return first, min(last, first + _DAY * (_DAYS_MAX - 1))


def last_day_over(now: datetime) -> date:
    """The last day in UTC that vendors tell completely."""
    return (now.astimezone(UTC) - _OVER_AFTER).date() - _DAY
