"""Rotate: change what the windows have committed."""

from decimal import Decimal
from typing import NamedTuple

from common.statements import NoRow, Statement


class Share(NamedTuple):
    """An amount in tokens and in USD."""

    tokens: int
    cost: Decimal

    def minus(self, other: "Share") -> "Share":
        """What is left of it without `other`."""
        return Share(self.tokens - other.tokens, self.cost - other.cost)


# What an allocation has committed in the windows of its payers and its key, under LOCK.
COMMITTED = Statement(
    """
    SELECT keys_committed_by(status, allocated, used, held) AS tokens,
           keys_committed_by(status, allocated_cost, used_cost, held_cost) AS cost
      FROM keys_allocation WHERE id = %(allocation)s
    """,
    Share,
)


# Add to what the open windows of each scope have committed (arrays of equal length), under LOCK.
MOVE = Statement(
    """
    UPDATE keys_window w
       SET committed = w.committed + keys_in_unit(w.unit, m.tokens, m.cost)
      FROM unnest(%(scope)s::text[], %(tokens)s::bigint[], %(cost)s::numeric[])
           AS m(scope, tokens, cost)
     WHERE w.scope = m.scope AND w.closed_at IS NULL
    """,
    NoRow,
)
