"""The SQL of the books, written once: run by the services, and by pgbench to know the limit.

Locks are taken in one order everywhere: **allocations by id, then open windows by id**. A charge
changes only under the lock of its allocation, and what a window has committed only under its own.
Every statement takes named parameters (psycopg style).

What an allocation has committed in a window (the books check counts it again):

- in its payers' windows, and in its key's while it is active, what `keys_committed_by` says;
- on a key that it is not on, or once it is closed, what its calls in flight there still hold.

A statement that ends charges runs under LOCK, as a statement of its own: its snapshot then has
every window that LOCK waited for.
"""

from keys.books.sql.allocate import ALLOCATE, split_lent_row
from keys.books.sql.close import CLOSE
from keys.books.sql.hold import EXTEND_HOLDS, HOLD, HOLD_ONE, PACE
from keys.books.sql.key_selection import CANDIDATES, LACKING, LOOK
from keys.books.sql.locks import JOIN, LOCK
from keys.books.sql.report_usage import CHARGE, RECORD, REPORTED
from keys.books.sql.rotate import MOVE
from keys.books.sql.settle import END
from keys.books.sql.slots import LOCK_ALLOCATION, TAKE_SLOT
from keys.limits.sql import BOOKS_LOCK

__all__ = [
    "ALLOCATE",
    "BOOKS_LOCK",
    "CANDIDATES",
    "CHARGE",
    "CLOSE",
    "END",
    "EXTEND_HOLDS",
    "HOLD",
    "HOLD_ONE",
    "JOIN",
    "LACKING",
    "LOCK",
    "LOCK_ALLOCATION",
    "LOOK",
    "MOVE",
    "PACE",
    "RECORD",
    "REPORTED",
    "TAKE_SLOT",
    "split_lent_row",
]
