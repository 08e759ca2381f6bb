"""What grants add to limits at a moment."""

from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement


def granted(window: str, *, at: str) -> str:
    """SQL of one row, `amount`: what grants allow in addition in `window` (its alias) at `at`."""
    return f"""
        SELECT coalesce(sum(amount), 0) AS amount FROM keys_grant
         WHERE limit_id = {window}.limit_id AND starts_at <= {at} AND ends_at > {at}
    """  # noqa: S608 - constants


class Granted(NamedTuple):
    """What grants allow in addition in a window, in its unit."""

    window_id: int
    amount: Decimal


# What grants add to each of these windows at a moment.
GRANTED = Statement(
    f"""
    SELECT w.id AS window_id, g.amount
      FROM keys_window w CROSS JOIN LATERAL ({granted("w", at="%(at)s")}) g
     WHERE w.id = ANY(%(windows)s)
    """,  # noqa: S608 - a constant
    Granted,
)
