"""What usage adds up to by time and group, from slices and days."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement
from keys.books.spend_sums import SUMMED, Spend
from keys.models import MEASURES


class SpendColumnRow(NamedTuple):
    """A row of SPEND_COLUMNS, which says when it starts as a `SpendRow` does."""

    starts_at: datetime | None
    day: date | None
    group: str | None
    calls: int
    tokens: int
    cost: Decimal


class SpendRow(NamedTuple):
    """A row of SPEND: `starts_at` is set if it is by quarter or hour, `day` if by day or month."""

    starts_at: datetime | None
    day: date | None
    group: str
    subgroup: str
    calls: int
    released: int
    expired: int
    overruns: int
    tokens: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    cache_write_long_tokens: int
    audio_input_tokens: int
    image_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    audio_output_tokens: int
    image_output_tokens: int
    web_searches: int
    cost: Decimal
    provider_cost: Decimal
    provider_calls: int
    estimated_calls: int
    estimated_cost: Decimal

    @property
    def spend(self) -> Spend:
        """What the row adds up."""
        return Spend(*self[4:])


def _sums(names: Iterable[str]) -> str:
    types = {field.name: field.type for field in fields(Spend)}
    return ", ".join(
        f"sum(u.{name}){'' if types[name] is Decimal else '::bigint'} AS {name}" for name in names
    )


_MEASURES = ", ".join(MEASURES)


def _group_sql(parameter: str) -> str:
    """The group of a row of `used`, by the way to group that the parameter names."""
    return f"""
           CASE %({parameter})s::text WHEN 'provider' THEN k.provider_id
                       WHEN 'key' THEN u.api_key_id
                       WHEN 'agent' THEN u.agent_id
                       WHEN 'cost_centre' THEN u.cost_centre_id
                       WHEN 'placement' THEN u.placement_id::text
                       WHEN 'centre_at' THEN CASE
                           WHEN %(within_centre)s::text IS NULL THEN c.path[1]
                           -- What the cost centre itself paid has its own name.
                           ELSE coalesce(c.path[array_position(c.path, %(within_centre)s) + 1],
                                         %(within_centre)s) END
                       WHEN 'label' THEN u.label
                       WHEN 'model' THEN coalesce(nullif(u.model, ''), k.model)
                       ELSE '' END"""


# What the statements read: the days and slices of the filter, and when a row of them starts.
_USED = f"""
    -- The whole days of the filter that have been made, if days can be read. The beginnings of days
    -- are wide of a clock change at midnight: the date decides.
    WITH rolled AS MATERIALIZED (
        SELECT r.zone, x.first, x.last,
               (x.first::timestamp AT TIME ZONE r.zone) + interval '3 hours' AS first_at,
               ((x.last + 1)::timestamp AT TIME ZONE r.zone) - interval '3 hours' AS last_at
          FROM keys_usagerollup r, LATERAL (
               SELECT ((%(since)s::timestamptz - interval '1 us') AT TIME ZONE r.zone)::date + 1,
                      least((%(until)s::timestamptz AT TIME ZONE r.zone)::date - 1, r.through)
               ) AS x(first, last)
         WHERE %(by_days)s AND (%(step)s::text = '' OR r.zone = %(zone)s) AND x.first <= x.last
    ),
    stale AS MATERIALIZED (
        SELECT DISTINCT (t.starts_at AT TIME ZONE r.zone)::date AS day
          FROM keys_staleusage t, rolled r
    ),
    -- What is read from slices: the rest of the filter, and days that changed.
    spans AS (
        SELECT %(since)s::timestamptz AS starts_at, %(until)s::timestamptz AS ends_at,
               '-infinity'::date AS first, 'infinity'::date AS last
         WHERE NOT EXISTS (SELECT FROM rolled)
        UNION ALL
        SELECT %(since)s, first_at, '-infinity', first - 1 FROM rolled
        UNION ALL
        SELECT last_at, %(until)s, last + 1, 'infinity' FROM rolled
        UNION ALL
        SELECT (s.day::timestamp AT TIME ZONE r.zone) - interval '3 hours',
               ((s.day + 1)::timestamp AT TIME ZONE r.zone) + interval '3 hours', s.day, s.day
          FROM stale s, rolled r WHERE s.day BETWEEN r.first AND r.last
    ),
    used AS (
        SELECT NULL::timestamptz AS starts_at, d.day, d.api_key_id, d.agent_id, d.cost_centre_id,
               '' AS label, d.model, d.placement_id, {_MEASURES}
          FROM rolled r JOIN keys_usageday d ON d.day BETWEEN r.first AND r.last
         WHERE d.day NOT IN (SELECT day FROM stale)
        UNION ALL
        SELECT s.starts_at, (s.starts_at AT TIME ZONE %(zone)s::text)::date, s.api_key_id,
               s.agent_id, s.cost_centre_id, s.label, s.model, s.placement_id, {_MEASURES}
          FROM spans p
          -- OFFSET: else PostgreSQL reads the slices of all days to find that few are in the spans.
          CROSS JOIN LATERAL (
                SELECT * FROM keys_usageslice
                 WHERE starts_at >= greatest(p.starts_at, %(since)s)
                   AND starts_at < least(p.ends_at, %(until)s)
                OFFSET 0) s
         WHERE (s.starts_at AT TIME ZONE coalesce((SELECT zone FROM rolled), 'UTC'))::date
               BETWEEN p.first AND p.last
    )"""  # noqa: S608 - names of columns
_STARTS = """
           CASE %(step)s::text WHEN 'quarter' THEN u.starts_at
                               WHEN 'hour' THEN date_trunc('hour', u.starts_at, %(zone)s::text)
           END AS starts_at,
           CASE %(step)s::text WHEN 'day' THEN u.day
                               WHEN 'month' THEN date_trunc('month', u.day::timestamp)::date
           END AS day,"""
_FILTERED = """
      FROM used u
      -- Left, although each has a match: so the planner knows that no rows get lost.
      LEFT JOIN keys_apikey k ON k.slug = u.api_key_id
      LEFT JOIN keys_placement c ON c.id = u.placement_id
     WHERE (%(providers)s::text[] = '{}' OR k.provider_id = ANY(%(providers)s))
       AND (%(key_ids)s::text[] = '{}' OR u.api_key_id = ANY(%(key_ids)s))
       AND (%(agents)s::text[] = '{}' OR u.agent_id = ANY(%(agents)s))
       -- coalesce: else PostgreSQL expects few of the cost centres to match, and sorts all days on
       -- disk where it could group them in memory.
       AND (%(cost_centres)s::text[] = '{}' OR coalesce(c.path::text[] && %(cost_centres)s, false))
       AND (%(paying_centres)s::text[] = '{}' OR u.cost_centre_id = ANY(%(paying_centres)s))
       AND (%(labels)s::text[] = '{}' OR u.label = ANY(%(labels)s))
       AND (%(models)s::text[] = '{}'
            OR coalesce(nullif(u.model, ''), k.model) = ANY(%(models)s))
       AND (%(within)s::text[] IS NULL OR coalesce(c.path::text[] && %(within)s, false))
       -- IS NOT NULL: PostgreSQL expects most to match, for the same reason.
       AND (%(within_centre)s::text IS NULL
            OR array_position(c.path, %(within_centre)s) IS NOT NULL)"""
# One statement sees one snapshot, so it is exact while settlements and the job of days write. The
# values are in its text when it is planned, so parts that do not apply cost nothing.
SPEND = Statement(
    f"""{_USED}
    SELECT {_STARTS}
           {_group_sql("by")} AS "group",
           {_group_sql("then_by")} AS subgroup,
           {_sums(SUMMED)}
    {_FILTERED}
     GROUP BY 1, 2, 3, 4
    """,  # noqa: S608 - names of columns
    SpendRow,
)
# The columns of a chart. Each further sum takes its time where there are many days, so it has
# those that a chart can draw.
SPEND_COLUMNS = Statement(
    f"""{_USED},
    grouped AS (
        SELECT {_STARTS}
               {_group_sql("by")} AS "group", u.calls, u.tokens, u.cost
        {_FILTERED}
    )
    SELECT u.starts_at, u.day, CASE WHEN u.group = ANY(%(shown)s) THEN u.group END AS "group",
           {_sums(("calls", "tokens", "cost"))}
      FROM grouped u
     GROUP BY 1, 2, 3
    """,  # noqa: S608 - names of columns
    SpendColumnRow,
)
