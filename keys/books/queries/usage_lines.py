"""What was used, at the finest that slices have: for files that other systems add up themselves."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement, fetch_unprepared


class UsageLine(NamedTuple):
    """The usage of one agent on one key, paid by one cost centre, with one model for one label.

    Names are those of now. `cost` and its parts are in USD; `cached_tokens` and
    `cache_write_tokens` are among the `input_tokens`, `reasoning_tokens` among the `output_tokens`.
    """

    provider: str
    api_key: str
    agent: str
    cost_centre: str
    cost_centre_name: str
    model: str
    label: str
    calls: int
    tokens: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal
    provider_cost: Decimal
    estimated_cost: Decimal


SUMMED = UsageLine._fields[UsageLine._fields.index("calls") :]
SUMS = ", ".join(
    f"sum(s.{name}){'' if UsageLine.__annotations__[name] is Decimal else '::bigint'} AS {name}"
    for name in SUMMED
)
USAGE_LINES = Statement(
    f"""
    SELECT p.name AS provider, s.api_key_id AS api_key, s.agent_id AS agent,
           s.cost_centre_id AS cost_centre, c.name AS cost_centre_name,
           coalesce(nullif(s.model, ''), k.model) AS model, s.label, {SUMS}
      FROM keys_usageslice s
      JOIN keys_apikey k ON k.slug = s.api_key_id
      JOIN keys_provider p ON p.slug = k.provider_id
      JOIN keys_costcentre c ON c.slug = s.cost_centre_id
      JOIN keys_placement t ON t.id = s.placement_id
     WHERE s.starts_at >= %(since)s AND s.starts_at < %(until)s
       AND (%(within)s::text[] IS NULL OR t.path::text[] && %(within)s)
     GROUP BY p.name, s.api_key_id, s.agent_id, s.cost_centre_id, c.name,
              coalesce(nullif(s.model, ''), k.model), s.label
    -- Holds that were released are no usage. An adjustment may leave tokens or cost alone.
    HAVING sum(s.calls) <> 0 OR sum(s.tokens) <> 0 OR sum(s.cost) <> 0
     ORDER BY s.cost_centre_id, s.agent_id, s.api_key_id, 6, s.label
    """,  # noqa: S608 - names of columns
    UsageLine,
)


def usage_lines(
    since: datetime, until: datetime, *, within: Sequence[str] | None = None
) -> list[UsageLine]:
    """The lines of `[since, until)`, which begins and ends on quarters of an hour; one query.

    `within`: cost centres, each with all below it; None for all.
    """
    bounds = {"since": since, "until": until}
    return fetch_unprepared(USAGE_LINES, **bounds, within=None if within is None else list(within))
