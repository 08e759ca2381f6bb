"""Days of usage: sums of slices, made once a day of the reporting zone is over."""

from datetime import date
from typing import NamedTuple

from common.statements import NoRow, Statement
from keys.books.sql.slices import SUMS
from keys.models import MEASURES

_NAMES = ", ".join(MEASURES)
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in MEASURES)

# The slices of a day `d.day`. A clock change at midnight moves what PostgreSQL takes for the
# beginning of the day, so the bounds are wide, and the date decides.
SLICES_OF_DAY = """
    s.starts_at >= (d.day::timestamp AT TIME ZONE %(zone)s::text) - interval '3 hours'
    AND s.starts_at < ((d.day + 1)::timestamp AT TIME ZONE %(zone)s::text) + interval '3 hours'
    AND (s.starts_at AT TIME ZONE %(zone)s::text)::date = d.day
"""


class RollupDue(NamedTuple):
    """The last day that is over, and whether days must be made: new ones, or some again."""

    last: date
    has_new: bool
    has_changed: bool


# What the job has to do. A slice that changes 45 minutes after its end or later is recorded as
# changed, so an hour after a day only transactions that are open then can still change it unseen.
DUE = Statement(
    """
    SELECT t.last, r.through IS NULL OR r.through < t.last OR r.zone <> %(zone)s AS has_new,
           EXISTS (SELECT FROM keys_staleusage) AS has_changed
      FROM (SELECT ((clock_timestamp() - interval '1 hour') AT TIME ZONE %(zone)s::text)::date - 1)
               AS t(last)
      LEFT JOIN keys_usagerollup r ON true
    """,
    RollupDue,
)

# Two jobs at once would make the same days.
LOCK_ROLLUP = Statement("LOCK TABLE keys_usagerollup IN SHARE ROW EXCLUSIVE MODE", NoRow)

# Days of another zone count no longer.
START_ROLLUP = Statement(
    """
    WITH other AS (
        DELETE FROM keys_usageday
         WHERE EXISTS (SELECT FROM keys_usagerollup WHERE zone <> %(zone)s)
    )
    INSERT INTO keys_usagerollup AS r (is_only, zone) VALUES (true, %(zone)s)
    ON CONFLICT (is_only) DO UPDATE
       SET zone = excluded.zone, through = CASE WHEN r.zone = excluded.zone THEN r.through END
    """,
    NoRow,
)


class RolledUp(NamedTuple):
    """How many days were made."""

    days: int


# One statement sees one snapshot: what changes after it is recorded as changed after it.
ROLL_UP = Statement(
    f"""
    WITH changed AS (
        DELETE FROM keys_staleusage RETURNING (starts_at AT TIME ZONE %(zone)s::text)::date AS day
    ),
    days AS MATERIALIZED (
        -- New ones, and those that changed after they were made.
        SELECT n.day::date
          FROM keys_usagerollup r,
               (SELECT min(starts_at) AS starts_at FROM keys_usageslice) AS f,
               generate_series(
                   coalesce(r.through + 1, (f.starts_at AT TIME ZONE %(zone)s::text)::date),
                   %(last)s::date, interval '1 day') AS n(day)
        UNION
        SELECT day FROM changed WHERE day <= %(last)s
    ),
    made AS (
        INSERT INTO keys_usageday (
            day, api_key_id, agent_id, cost_centre_id, model, placement_id, {_NAMES})
        SELECT d.day, s.api_key_id, s.agent_id, s.cost_centre_id, s.model, s.placement_id, {SUMS}
          FROM days d JOIN keys_usageslice s ON {SLICES_OF_DAY}
         GROUP BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (day, api_key_id, agent_id, cost_centre_id, model, placement_id)
        DO UPDATE SET {_REPLACED}
    ),
    until AS (
        UPDATE keys_usagerollup SET through = greatest(through, %(last)s::date)
    )
    SELECT count(*) AS days FROM days
    """,  # noqa: S608 - names of columns
    RolledUp,
)
