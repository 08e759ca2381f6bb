"""Whether anything was settled: the mark differs from the one before if so."""

from collections.abc import Sequence

from common.async_connection import AsyncConnection
from common.statements import fetch_unprepared
from keys.books import sql
from keys.books.sql.usage_mark import UsageMark


async def usage_mark(connection: AsyncConnection) -> UsageMark | None:
    """The mark of all charges, None if nothing ended lately. Reads by a connection of a loop."""
    found = await connection.execute(sql.USAGE_MARK.text, {"centres": []})
    return next(map(UsageMark._make, await found.fetchall()), None)


def usage_mark_within(centres: Sequence[str]) -> UsageMark | None:
    """The mark of the charges of these cost centres and all below them; of all if none is given."""
    return next(iter(fetch_unprepared(sql.USAGE_MARK, centres=list(centres))), None)
