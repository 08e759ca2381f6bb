"""The SQL of windows, and the lock of the books that is exclusive while windows change."""

from common.statements import NoRow, Statement
from keys.limits.sql.grants import GRANTED, granted
from keys.limits.sql.recount import COMMITTED, USED
from keys.limits.sql.windows import left

# The advisory lock of the books: shared by transactions that commit or settle, exclusive for one
# that opens or changes windows. So none of the former has a snapshot that lacks a new window.
BOOKS_LOCK = 0x6B657973

TAKE_BOOKS = Statement("SELECT pg_advisory_xact_lock(%(books_lock)s)", NoRow)

__all__ = ["BOOKS_LOCK", "COMMITTED", "GRANTED", "TAKE_BOOKS", "USED", "granted", "left"]
