"""Circle Mint's lists as statements: what moved on whole days, and what is on the account now.

Circle tells neither a statement nor the balance of a past day. So all that began since the first
day is read, and leads from the balance of now back to that day. Circle takes what leaves when it is
asked for, and adds what arrives when it is complete, so a day is whole when nothing that began on
it is pending.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from treasury.rail_statements.fetched import pack
from treasury.rails.base import FetchedStatement
from treasury.rails.circle_mint.answers import answer_of_error
from treasury.rails.http import JSON, Reply

Query = Sequence[tuple[str, str]]
_Read = Callable[[str, Query], Reply]
BUSINESS = "/v1/businessAccount"
BALANCES, LISTS = f"{BUSINESS}/balances", ("transfers", "payouts", "deposits")
_DAY = timedelta(days=1)
# A bank may return a payout later than on its day.
_RETURNS_WITHIN = timedelta(days=30)
_PAGE, _PAGES_MAX, _TRIES = 50, 40, 3
_TOO_MUCH = (
    f"More than {_PAGE * _PAGES_MAX:,} transfers, payouts or deposits, or some while they were "
    "read. Begin with a later day, or import a file."
)
_UNREADABLE = "Circle's answer is not understood."


def fetch_days(read: _Read, *, since: date, until: date, currency: str) -> FetchedStatement:
    """The days from `since` through the last whole one, at most `until`. `read` asks Circle."""
    for _ in range(_TRIES):
        before = read(BALANCES, ())
        pages = [(name, reply) for name in LISTS for reply in _pages(read, name, since)]
        after = read(BALANCES, ())
        for reply in (before, *(reply for _, reply in pages), after):
            if not reply.is_ok:
                code = answer_of_error(reply).code
                return FetchedStatement(problem=f"Circle answers {code}")
        if not all(_is_whole(pages, name) for name in LISTS):
            break
        if before.body == after.body:
            return _statement(pages, after, since=since, until=until, currency=currency)
    return FetchedStatement(problem=_TOO_MUCH)


def _pages(read: _Read, name: str, since: date) -> Iterator[Reply]:
    """The newest first, to an empty page: Circle may give fewer at once than it is asked for."""
    query: list[tuple[str, str]] = [
        ("from", f"{since - _RETURNS_WITHIN}T00:00:00.000Z"),
        ("pageSize", str(_PAGE)),
    ]
    after: list[tuple[str, str]] = []
    for _ in range(_PAGES_MAX):
        reply = read(f"{BUSINESS}/{name}", [*query, *after])
        yield reply
        rows = _rows(reply)
        last = rows[-1].get("id") if rows and isinstance(rows[-1], dict) else None
        if not isinstance(last, str):
            return
        after = [("pageAfter", last)]


def _is_whole(pages: Sequence[tuple[str, Reply]], name: str) -> bool:
    return not _rows([reply for of, reply in pages if of == name][-1])


def _statement(
    pages: Sequence[tuple[str, Reply]], balance: Reply, *, since: date, until: date, currency: str
) -> FetchedStatement:
    try:
        pending = [day for _, reply in pages for row in _rows(reply) for day in _pending(row)]
    except (KeyError, TypeError, ValueError, AttributeError):
        return FetchedStatement(problem=_UNREADABLE)
    last = min([until, *(day - _DAY for day in pending)])
    if last < since:
        problem = f"What began on {min(pending)} is still pending with Circle. Fetch it later."
        return FetchedStatement(problem=problem)
    told = [b'{"of": "%s", "answer": %s}' % (of.encode(), each.content) for of, each in pages]
    return FetchedStatement(
        content=pack(since, last, currency, balance=balance.content, pages=told)
    )


def _pending(row: JSON) -> Iterator[date]:
    """The day of what is not over: of the movement, and of its return by the bank."""
    for each in (row, row.get("return") or {}):
        if each.get("status") == "pending":
            yield datetime.fromisoformat(each["createDate"]).astimezone(UTC).date()


def _rows(reply: Reply) -> list[JSON]:
    rows = reply.body.get("data")
    return rows if isinstance(rows, list) else []
