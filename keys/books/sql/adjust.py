"""Adjust a settled charge.

As a call does, an adjustment with more tokens extends the life of an open session.
"""

from common.statements import Statement
from keys.books.sql.spend import SPEND_EARLIER, Spent

# Add an adjustment, which has been inserted, to its allocation and windows, under LOCK.
ADJUST = Statement(
    """
    -- What the charge costs more than before.
    WITH ended AS (
        SELECT charge_id AS id, allocation_id, api_key_id, settled_at, tokens, cost,
               false AS overrun, false AS is_sent, 0 AS unheld, 0::numeric AS unheld_cost
          FROM keys_adjustment WHERE id = %(adjustment)s
    ),
    """  # noqa: S608 - a constant
    + SPEND_EARLIER,
    Spent,
)
