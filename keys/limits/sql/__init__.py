"""The SQL of windows, and the lock that opening one takes alone."""

from common.statements import NoRow, Statement
from keys.limits.sql.recount import COMMITTED, USED

# Shared by everybody who commits or settles, exclusive for whoever opens or changes windows, so
# that nobody pays or commits by a snapshot from before the window was there.
BOOKS_LOCK = 0x6B657973

TAKE_BOOKS = Statement("SELECT pg_advisory_xact_lock(%(books_lock)s)", NoRow)

__all__ = ["BOOKS_LOCK", "COMMITTED", "TAKE_BOOKS", "USED"]
