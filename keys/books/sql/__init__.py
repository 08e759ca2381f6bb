"""The SQL of the books, written once: run by the services and by the gateway's own connections.

Locks are taken in one order everywhere: **allocations by id, then open windows by id**. A charge
changes only under the lock of its allocation, and what a window has committed only under its own.
Every statement takes named parameters (psycopg style).

What an allocation has committed in a window (the books check counts it again):

- while active, in its payers' windows and in its key's: `greatest(allocated - used, held)`;
- once closed, what its calls in flight still hold;
- on a key it was rotated away from, what its calls in flight there still hold.

A statement that pays runs under LOCK, as a statement of its own: its snapshot then has every
window that LOCK waited for.
"""

from keys.books.sql.allocate import ALLOCATE, CANDIDATES, LACKING, LOOK, MOVE
from keys.books.sql.hold import EXTEND_HOLDS, HOLD, HOLD_ONE, PACE
from keys.books.sql.locks import JOIN, LOCK
from keys.books.sql.settle import CLOSE, END, RECORD, REPORTED
from keys.limits.sql import BOOKS_LOCK

__all__ = [
    "ALLOCATE",
    "BOOKS_LOCK",
    "CANDIDATES",
    "CLOSE",
    "END",
    "EXTEND_HOLDS",
    "HOLD",
    "HOLD_ONE",
    "JOIN",
    "LACKING",
    "LOCK",
    "LOOK",
    "MOVE",
    "PACE",
    "RECORD",
    "REPORTED",
]
