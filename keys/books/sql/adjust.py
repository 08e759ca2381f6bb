"""Adjust a settled charge.

As a call does, an adjustment with more tokens extends the life of an open session.
"""

from common.statements import Statement
from keys.books.sql.slices import columns, usage_of_adjustment
from keys.books.sql.spend import SPEND_EARLIER, Spent

# Add an adjustment, which has been inserted, to its allocation and windows, under LOCK.
ADJUST = Statement(
    f"""
    -- What the charge counts for more than before.
    WITH ended AS (
        SELECT c.id, j.allocation_id, j.api_key_id, j.settled_at,
               false AS overrun, false AS is_sent, 0 AS unheld, 0::numeric AS unheld_cost,
               j.model, j.settled_at AS counts_at, {columns(usage_of_adjustment("j", "c"))}
          FROM keys_adjustment j JOIN keys_charge c ON c.id = j.charge_id
         WHERE j.id = %(adjustment)s
    ),
    """  # noqa: S608 - a constant
    + SPEND_EARLIER,
    Spent,
)
