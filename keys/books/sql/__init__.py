"""The SQL of the books, run by the services and, in the benchmark, by pgbench.

All statements lock in one order: **allocations by id, then open windows by id**. A charge changes
only under the lock of its allocation, and `committed` of a window only under the window's lock.
Every statement takes named parameters (psycopg style).

What an allocation has committed in a window (the books check counts it again):

- in the windows of its payers and, while it is active, of its key: `keys_committed_by`;
- in the windows of other keys, and of its key once it is closed: what its calls in flight hold.

A statement that ends charges runs after LOCK as a separate statement, so that its snapshot has
every window that LOCK waited for.
"""

from keys.books.sql.adjust import ADJUST
from keys.books.sql.allocate import ALLOCATE, allocate_and, split_lent_row
from keys.books.sql.close import CLOSE
from keys.books.sql.days import DUE, LOCK_ROLLUP, ROLL_UP, START_ROLLUP
from keys.books.sql.freeze import ANNOUNCE, CUT_CHARGES, FREEZE_LOCK, FROZEN_PAYERS
from keys.books.sql.freeze import CHANNEL as FREEZE_CHANNEL
from keys.books.sql.hold import EXTEND_HOLDS, HOLD, HOLD_ONE, PACE
from keys.books.sql.key_selection import (
    CANDIDATES,
    LACKING,
    LOOK,
    SERVED_BY_KEY,
)
from keys.books.sql.locks import JOIN, LOCK
from keys.books.sql.partitions import COUNTED_FROM, DROPPED, IS_OPEN, LOCK_CLOSED, SCAN
from keys.books.sql.past_usage import COUNT_IN_WINDOWS, RESERVE_ALLOCATIONS
from keys.books.sql.report_usage import CHARGE, RECORD, REPORTED
from keys.books.sql.rotate import COMMITTED, MOVE
from keys.books.sql.settle import END, END_PLAIN, NOT_PLAIN
from keys.books.sql.slices import COUNT_CHARGES
from keys.books.sql.slots import LOCK_ALLOCATION, TAKE_SLOT
from keys.books.sql.usage_mark import USAGE_MARK
from keys.limits.sql import BOOKS_LOCK

__all__ = [
    "ADJUST",
    "ALLOCATE",
    "ANNOUNCE",
    "BOOKS_LOCK",
    "CANDIDATES",
    "CHARGE",
    "CLOSE",
    "COMMITTED",
    "COUNT_CHARGES",
    "COUNT_IN_WINDOWS",
    "COUNTED_FROM",
    "CUT_CHARGES",
    "DROPPED",
    "DUE",
    "END",
    "END_PLAIN",
    "EXTEND_HOLDS",
    "FREEZE_CHANNEL",
    "FREEZE_LOCK",
    "FROZEN_PAYERS",
    "HOLD",
    "HOLD_ONE",
    "IS_OPEN",
    "JOIN",
    "LACKING",
    "LOCK",
    "LOCK_ALLOCATION",
    "LOCK_CLOSED",
    "LOCK_ROLLUP",
    "LOOK",
    "MOVE",
    "NOT_PLAIN",
    "PACE",
    "RECORD",
    "REPORTED",
    "RESERVE_ALLOCATIONS",
    "ROLL_UP",
    "SCAN",
    "SERVED_BY_KEY",
    "START_ROLLUP",
    "TAKE_SLOT",
    "allocate_and",
    "split_lent_row",
    "USAGE_MARK",
]
