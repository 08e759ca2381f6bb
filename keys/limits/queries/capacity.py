"""Capacity: the tokens that the API keys of each provider can still lend."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement, fetch_unprepared


class ProviderCapacity(NamedTuple):
    """What the API keys of a provider that are not switched off can lend.

    Of each key's tightest limit in tokens: `used`, `committed`, and `free` of `amount` on the
    `active` ones of its `keys`. `unlimited`: how many of them have no such limit. `resets_at`: the
    first reset of one of these limits.
    """

    provider: str
    keys: int
    active: int
    unlimited: int
    amount: Decimal
    used: Decimal
    committed: Decimal
    free: Decimal
    resets_at: datetime | None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is used or committed and every key can lend."""
        return self.active == self.keys and not self.used and not self.committed


CAPACITY = Statement(
    """
    SELECT k.provider_id AS provider, count(*) AS keys,
           count(*) FILTER (WHERE k.status = 'active') AS active,
           count(*) FILTER (WHERE w.amount IS NULL) AS unlimited,
           coalesce(sum(w.amount), 0) AS amount, coalesce(sum(w.used), 0) AS used,
           coalesce(sum(w.committed), 0) AS committed,
           coalesce(sum(w.free) FILTER (WHERE k.status = 'active'), 0) AS free,
           min(w.ends_at) FILTER (WHERE w.ends_at > %(at)s) AS resets_at
      FROM keys_apikey k
      LEFT JOIN LATERAL (
               SELECT u.amount, u.used, w.committed, w.ends_at,
                      greatest(u.amount - u.used - w.committed, 0) AS free
                 FROM keys_window w,
                      -- The period of a window that is not closed yet may be over.
                      LATERAL (SELECT CASE WHEN w.ends_at > %(at)s THEN w.used ELSE 0 END AS used,
                                      w.amount - CASE WHEN w.ends_at > %(at)s THEN 0
                                                      ELSE w.carried END AS amount) u
                WHERE w.scope = 'key:' || k.slug AND w.closed_at IS NULL AND w.unit = 'tokens'
                ORDER BY free LIMIT 1
           ) w ON true
     WHERE k.status <> 'inactive'
     GROUP BY k.provider_id
     ORDER BY coalesce(sum(w.free) FILTER (WHERE k.status = 'active'), 0)
              / nullif(sum(w.amount), 0) NULLS LAST, k.provider_id
    """,
    ProviderCapacity,
)


def provider_capacity(*, now: datetime) -> list[ProviderCapacity]:
    """The capacity of each provider that has API keys, the least free first; one query."""
    return fetch_unprepared(CAPACITY, at=now)
