"""The SQL that says whether anything was settled since somebody looked last."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement


class UsageMark(NamedTuple):
    """What the newest slices add up to: as long as it is the same, no call has ended."""

    starts_at: datetime
    ended: Decimal
    tokens: Decimal
    cost: Decimal


# Of these cost centres and all below them; of all if none is given. No row: nothing ended lately.
USAGE_MARK = Statement(
    """
    SELECT starts_at, sum(calls + released + expired) AS ended, sum(tokens) AS tokens,
           sum(cost) AS cost
      FROM keys_usageslice
     WHERE starts_at > now() - interval '30 minutes'
       AND (%(centres)s::text[] = '{}' OR placement_id IN (
            SELECT id FROM keys_placement WHERE path::text[] && %(centres)s))
     GROUP BY starts_at
     ORDER BY starts_at DESC
     LIMIT 1
    """,
    UsageMark,
)
