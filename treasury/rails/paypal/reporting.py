"""PayPal's reports: what moved on whole days, and what was on the account at their end.

An app may read them once *Transaction Search* is switched on for it. PayPal tells what it knows up
to three hours late, and says through which moment it knows all.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime

from treasury.rail_statements.fetched import pack
from treasury.rails.base import FetchedStatement
from treasury.rails.http import Reply
from treasury.rails.paypal.answers import answer_of_error

Query = Sequence[tuple[str, str]]
_TRANSACTIONS, _BALANCES = "/v1/reporting/transactions", "/v1/reporting/balances"
# PayPal tells at most 10,000 of what is searched for.
_PAGE, _PAGES_MAX = 500, 20
_FORBIDDEN = 403
_NOT_ALLOWED = (
    "PayPal does not let the app read reports. Switch Transaction Search on for it in PayPal's "
    "developer dashboard; PayPal takes up to nine hours."
)
_CHANGED = "PayPal's list does not have as many movements as it says. Fetch it again."


def fetch_days(
    read: Callable[[str, Query], Reply], *, since: date, until: date, currency: str
) -> FetchedStatement:
    """The movements of the days and the balance at their end. `read` asks PayPal."""
    ends = f"{until}T23:59:59Z"
    query = [
        ("start_date", f"{since}T00:00:00Z"),
        ("end_date", ends),
        ("transaction_currency", currency),
        ("balance_affecting_records_only", "Y"),
        # Nothing about payers.
        ("fields", "transaction_info"),
        ("page_size", str(_PAGE)),
    ]
    pages = list(_pages(read, query))
    problem = _problem_of_pages(pages, ends)
    if problem:
        return FetchedStatement(problem=problem)
    balance = read(_BALANCES, [("as_of_time", ends), ("currency_code", currency)])
    problem = _problem(balance) or _late(balance.body.get("as_of_time"), ends)
    if problem:
        return FetchedStatement(problem=problem)
    told = [page.content for page in pages]
    return FetchedStatement(
        content=pack(since, until, currency, balance=balance.content, pages=told)
    )


def _pages(read: Callable[[str, Query], Reply], query: Query) -> Iterator[Reply]:
    """To the last page, one that could not be read, or the last that PayPal may tell."""
    for number in range(1, _PAGES_MAX + 1):
        reply = read(_TRANSACTIONS, [*query, ("page", str(number))])
        yield reply
        if not reply.is_ok or number >= _count(reply, "total_pages"):
            return


def _problem_of_pages(pages: Sequence[Reply], ends: str) -> str:
    for reply in pages:
        problem = _problem(reply) or _late(reply.body.get("last_refreshed_datetime"), ends)
        if problem:
            return problem
    if _count(pages[0], "total_pages") > _PAGES_MAX:
        return f"More than {_PAGE * _PAGES_MAX:,} movements. Fetch fewer days, or import a file."
    found = sum(len(_rows(page)) for page in pages)
    return "" if found == _count(pages[0], "total_items") else _CHANGED


def _problem(reply: Reply) -> str:
    if reply.is_ok:
        return ""
    if reply.status == _FORBIDDEN:
        return _NOT_ALLOWED
    answer = answer_of_error(reply)
    return ": ".join(filter(None, (f"PayPal answers {answer.code}", answer.message)))


def _late(told: object, ends: str) -> str:
    """Why the days cannot be whole yet, if PayPal says through when it knows all."""
    if not isinstance(told, str):
        return ""
    try:
        through = datetime.fromisoformat(told)
    except ValueError:
        return "PayPal's answer is not understood."
    if through.replace(tzinfo=through.tzinfo or UTC) >= datetime.fromisoformat(ends):
        return ""
    return f"PayPal knows all through {told} only. Fetch it later."


def _rows(reply: Reply) -> list[object]:
    rows = reply.body.get("transaction_details")
    return rows if isinstance(rows, list) else []


def _count(reply: Reply, name: str) -> int:
    found = reply.body.get(name)
    return found if isinstance(found, int) else 0
