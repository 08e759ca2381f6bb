"""The SQL of windows, and the lock that opening one takes alone."""

from keys.limits.sql.recount import COMMITTED, USED

# Shared by everybody who commits or settles, exclusive for whoever opens or changes windows, so
# that nobody pays or commits by a snapshot from before the window was there.
BOOKS_LOCK = 0x6B657973

__all__ = ["BOOKS_LOCK", "COMMITTED", "USED"]
