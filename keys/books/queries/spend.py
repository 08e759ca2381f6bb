"""Spend: what was used and what it cost, by time and by who used it, from slices and days."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from common.statements import Statement, fetch_unprepared
from keys.models import MEASURES

Step = Literal["quarter", "hour", "day", "month"]
# How spend can be grouped. `cost_centre`: the one that paid; `centre_at`: the one below
# `within_centre` that it is of.
GROUPS = ("provider", "key", "agent", "cost_centre", "centre_at", "label", "model")
SLICE_SECONDS = 15 * 60


class SpendFilter(NamedTuple):
    """A filter of usage in `[since, until)`, which begins and ends on a quarter of an hour.

    An empty tuple does not filter. `cost_centres` includes those below them, `paying_centres` only
    what these paid directly. `within`: the cost centres that a person is bound to, with those below
    them; None: all.
    """

    since: datetime
    until: datetime
    providers: tuple[str, ...] = ()
    key_ids: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    cost_centres: tuple[str, ...] = ()
    paying_centres: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    within: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums of usage, as `UsageSums` explains them; amounts in USD."""

    calls: int = 0
    released: int = 0
    expired: int = 0
    overruns: int = 0
    tokens: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_long_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    web_searches: int = 0
    cost: Decimal = Decimal(0)
    provider_cost: Decimal = Decimal(0)
    provider_calls: int = 0
    estimated_calls: int = 0
    estimated_cost: Decimal = Decimal(0)

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(*(getattr(self, name) + getattr(other, name) for name in _SUMMED))


_SUMMED = [field.name for field in fields(Spend)]
_figures = attrgetter(*_SUMMED)


def sum_of(spends: Iterable[Spend]) -> Spend:
    """What they add up to; much faster than adding one to another, where there are thousands."""
    sums: Iterable[Any] = map(sum, zip(*map(_figures, spends), strict=True))
    return Spend(*sums)


class SpendGroup(NamedTuple):
    """The spend of one group."""

    group: str
    spend: Spend


class SpendPart(NamedTuple):
    """The spend of one subgroup of a group."""

    group: str
    subgroup: str
    spend: Spend


class SpendPeriod(NamedTuple):
    """The spend of one group in one period, which starts at a `datetime` in UTC or on a `date`."""

    starts: date
    group: str
    spend: Spend


class SpendColumn(NamedTuple):
    """The usage of one group in one period, which starts as that of a `SpendPeriod`.

    `group` is None for all groups that are not shown by themselves. `cost` is in USD.
    """

    starts: date
    group: str | None
    calls: int
    tokens: int
    cost: Decimal


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
               '' AS label, d.model, {_MEASURES}
          FROM rolled r JOIN keys_usageday d ON d.day BETWEEN r.first AND r.last
         WHERE d.day NOT IN (SELECT day FROM stale)
        UNION ALL
        SELECT s.starts_at, (s.starts_at AT TIME ZONE %(zone)s::text)::date, s.api_key_id,
               s.agent_id, s.cost_centre_id, s.label, s.model, {_MEASURES}
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
      LEFT JOIN keys_costcentre c ON c.slug = u.cost_centre_id
     WHERE (%(providers)s::text[] = '{}' OR k.provider_id = ANY(%(providers)s))
       AND (%(key_ids)s::text[] = '{}' OR u.api_key_id = ANY(%(key_ids)s))
       AND (%(agents)s::text[] = '{}' OR u.agent_id = ANY(%(agents)s))
       AND (%(cost_centres)s::text[] = '{}' OR c.path::text[] && %(cost_centres)s)
       AND (%(paying_centres)s::text[] = '{}' OR u.cost_centre_id = ANY(%(paying_centres)s))
       AND (%(labels)s::text[] = '{}' OR u.label = ANY(%(labels)s))
       AND (%(models)s::text[] = '{}'
            OR coalesce(nullif(u.model, ''), k.model) = ANY(%(models)s))
       AND (%(within)s::text[] IS NULL OR c.path::text[] && %(within)s)
       AND (%(within_centre)s::text IS NULL OR %(within_centre)s = ANY(c.path))"""
# One statement sees one snapshot, so it is exact while settlements and the job of days write. The
# values are in its text when it is planned, so parts that do not apply cost nothing.
SPEND = Statement(
    f"""{_USED}
    SELECT {_STARTS}
           {_group_sql("by")} AS "group",
           {_group_sql("then_by")} AS subgroup,
           {_sums(_SUMMED)}
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


def spend_total(which: SpendFilter) -> Spend:
    """What the filter's usage adds up to; one query."""
    return sum_of(row.spend for row in _rows(which))


def spend_by(which: SpendFilter, *, by: str, within_centre: str | None = None) -> list[SpendGroup]:
    """The spend of each group (see GROUPS), dearest first; one query.

    By `centre_at`: of each cost centre right below `within_centre`, with all below it, and of
    `within_centre` what it paid directly; without it, of each tree.
    """
    rows = _rows(which, by=by, within_centre=within_centre)
    groups = [SpendGroup(row.group, row.spend) for row in rows]
    return sorted(groups, key=lambda each: (-each.spend.cost, -each.spend.tokens, each.group))


def spend_by_part(
    which: SpendFilter, *, by: str, then_by: str, within_centre: str | None = None
) -> list[SpendPart]:
    """The spend of each group and, in it, of each subgroup, in no order; one query.

    `by` and `then_by` are ways to group, as in `spend_by`. With a blank `then_by`, each group has
    one subgroup, which is blank.
    """
    rows = _rows(which, by=by, then_by=then_by, within_centre=within_centre)
    return [SpendPart(row.group, row.subgroup, row.spend) for row in rows]


def spend_over_time(
    which: SpendFilter,
    *,
    step: Step,
    zone: ZoneInfo,
    by: str = "",
    within_centre: str | None = None,
) -> list[SpendPeriod]:
    """The spend of each period in `zone` that has any, and of each group; one query.

    Ordered by time and group. Periods of a `quarter` or an `hour` start with a datetime in UTC,
    days and months with a date.
    """
    rows = _rows(which, by=by, within_centre=within_centre, step=step, zone=zone.key)
    periods = [
        SpendPeriod(starts, row.group, row.spend)
        for row in rows
        if (starts := row.starts_at or row.day)
    ]
    return sorted(periods, key=lambda each: each[:2])


def spend_columns(
    which: SpendFilter,
    *,
    step: Step,
    zone: ZoneInfo,
    by: str,
    shown: Iterable[str],
    within_centre: str | None = None,
) -> list[SpendColumn]:
    """What each period in `zone` has used, of each of the groups `shown` and of all others as one;
    one query. In no order."""
    asked = _asked(which, by=by, within_centre=within_centre, step=step, zone=zone.key)
    return [
        SpendColumn(starts, row.group, row.calls, row.tokens, row.cost)
        for row in fetch_unprepared(SPEND_COLUMNS, **asked, shown=list(shown))
        if (starts := row.starts_at or row.day)
    ]


def _rows(which: SpendFilter, *, by: str = "", then_by: str = "", **asked: Any) -> list[SpendRow]:
    return fetch_unprepared(
        SPEND, **_asked(which, by=by, then_by=then_by, **asked), then_by=then_by
    )


def _asked(
    which: SpendFilter,
    *,
    by: str = "",
    then_by: str = "",
    within_centre: str | None = None,
    step: str = "",
    zone: str = "UTC",
) -> dict[str, Any]:
    if unknown := {by, then_by} - {"", *GROUPS}:
        raise ValueError(f"Spend cannot be grouped by {unknown}.")
    if not (is_on_border(which.since) and is_on_border(which.until)):
        raise ValueError("Use moments on a quarter of an hour.")
    return _as_lists(which) | {
        "by": by,
        "within_centre": within_centre,
        "step": step,
        "zone": zone,
        # They have no labels.
        "by_days": "label" not in (by, then_by)
        and not which.labels
        and step in ("", "day", "month"),
    }


def slice_start(moment: datetime) -> datetime:
    """The start of the slice that the moment is in."""
    return datetime.fromtimestamp(moment.timestamp() // SLICE_SECONDS * SLICE_SECONDS, UTC)


def is_on_border(moment: datetime) -> bool:
    """Whether a slice begins at the moment."""
    return moment.timestamp() % SLICE_SECONDS == 0


def _as_lists(which: SpendFilter) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in which._asdict().items()
    }
