"""Record usage without an earlier hold, under LOCK."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement, model_row
from keys.books.sql.slices import columns, usage_of
from keys.books.sql.spend import SPEND, Spent
from keys.models import Charge


class Reported(NamedTuple):
    """The allocation of a report, and in `earlier` the charge that the same report created before.

    `left` and `left_cost` can still be held; they are below zero after an overrun. `is_metered`:
    calls of the session went through the gateway.
    """

    session_id: str
    price_id: int
    allocated: int
    left: int
    left_cost: Decimal
    token_cost_max: Decimal
    closed_at: datetime | None
    is_metered: bool
    earlier: int | None


# What is read before a report is recorded.
REPORTED = Statement(
    """
    SELECT a.session_id, a.price_id, a.allocated, a.allocated - a.used - a.held AS left,
           a.allocated_cost - a.used_cost - a.held_cost AS left_cost, a.token_cost_max, a.closed_at,
           -- The first call in the gateway sets the wire format: other sessions need no search.
           a.wire_format <> '' AND EXISTS (
               SELECT FROM ONLY keys_charge WHERE allocation_id = a.id AND route <> ''
           ) AS is_metered,
           (SELECT id FROM ONLY keys_charge
             WHERE allocation_id = a.id AND idempotency_key = %(idempotency_key)s) AS earlier
      FROM keys_allocation a WHERE a.id = %(allocation)s
    """,
    Reported,
)


# Record usage: a settled charge at once.
RECORD = Statement(
    f"""
    -- The charge, settled at once: it held nothing.
    WITH ended AS (
        INSERT INTO keys_charge (
            allocation_id, api_key_id, price_id, model, idempotency_key, status, basis, held_tokens,
            held_cost, input_tokens, cached_tokens, cache_write_tokens, cache_write_long_tokens,
            audio_input_tokens, image_input_tokens, output_tokens, reasoning_tokens,
            audio_output_tokens, image_output_tokens, web_searches, tokens, cost, overrun,
            created_at, expires_at, settled_at)
        SELECT a.id, a.api_key_id, %(price)s, %(model)s, %(idempotency_key)s, 'settled', 'reported',
               0, 0, %(input_tokens)s, %(cached_tokens)s, %(cache_write_tokens)s,
               %(cache_write_long_tokens)s, %(audio_input_tokens)s, %(image_input_tokens)s,
               %(output_tokens)s, %(reasoning_tokens)s, %(audio_output_tokens)s,
               %(image_output_tokens)s, %(web_searches)s, %(tokens)s, %(cost)s,
               %(overrun)s, %(at)s, %(at)s, %(at)s
          FROM keys_allocation a
         WHERE a.id = %(allocation)s
        RETURNING id, allocation_id, api_key_id, overrun,
                  false AS is_sent, 0 AS unheld, 0::numeric AS unheld_cost, model,
                  settled_at AS counts_at, {columns(usage_of("keys_charge"))}
    ),
    """  # noqa: S608 - a constant
    + SPEND,
    Spent,
)


ChargeRow = model_row(Charge)

# The charge of an open allocation with an idempotency key.
CHARGE = Statement(
    f"SELECT {', '.join(ChargeRow._fields)} FROM ONLY keys_charge"  # noqa: S608 - columns
    " WHERE allocation_id = %(allocation)s AND idempotency_key = %(idempotency_key)s",
    ChargeRow,
)
