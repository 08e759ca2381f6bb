"""The books check: every invariant of the books, counted again from the rows.

Each check is one query of the rows that break an invariant, in one snapshot: no row means that the
invariant holds. Checks whose names have the same number belong to one invariant.
"""

from collections.abc import Iterable

from common.row_checks import Check, Finding, run_checks
from keys.books.sql.partitions import COUNTED_FROM
from keys.books.sql.slices import columns, usage_of, usage_of_adjustment
from keys.limits import sql
from keys.models import MEASURES

# Holds that end without a settlement do not record when, so their counts cannot be counted again.
_COUNTED = [name for name in MEASURES if name not in ("released", "expired")]
_SUMS = ", ".join(_COUNTED)
_LESS = ", ".join(f"-{name} AS {name}" for name in _COUNTED)
_DIFFER = " OR ".join(f"sum({name}) <> 0" for name in _COUNTED)


def _missing_triggers(*names: str) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"""
        SELECT n.name AS trigger FROM unnest(ARRAY[{listed}]) AS n(name)
         WHERE NOT EXISTS (
            SELECT FROM pg_trigger t
             WHERE t.tgenabled <> 'D' AND starts_with(t.tgname, 'pgtrigger_' || n.name))
        """  # noqa: S608 - names from this file


def _wrong_windows(spent: str, *, only: str = "true") -> str:
    """The windows that have not used what was `spent` in them: rows of scope, at, tokens, cost.

    Running sums of each scope are read where a window starts and where it ends, so that a million
    rows are sorted once, not compared with each window.
    """
    return f"""
        WITH checked AS (
            SELECT w.* FROM keys_window w JOIN keys_limit l ON l.id = w.limit_id
             -- The last window of a removed limit ends while settlements may be under way.
             WHERE (l.removed_at IS DISTINCT FROM w.closed_at OR w.closed_at IS NULL) AND {only}
        ),
        borders AS (
            SELECT scope, starts_at AS at FROM checked
            UNION
            SELECT scope, ends_at FROM checked
        ),
        before AS (
            SELECT scope, at, is_border,
                   sum(tokens) OVER upwards AS tokens, sum(cost) OVER upwards AS cost
              FROM (
                SELECT scope, at, false AS is_border, tokens, cost FROM ({spent}) AS s
                UNION ALL
                SELECT scope, at, true, 0, 0 FROM borders
              ) AS each
            -- What is spent at the moment of a border is after it.
            WINDOW upwards AS (PARTITION BY scope ORDER BY at, is_border DESC
                               ROWS UNBOUNDED PRECEDING)
        )
        SELECT w.id AS window, w.scope, w.unit, w.used, x.counted
          FROM checked w
          JOIN before s ON s.scope = w.scope AND s.at = w.starts_at AND s.is_border
          JOIN before e ON e.scope = w.scope AND e.at = w.ends_at AND e.is_border,
               LATERAL (SELECT keys_in_unit(w.unit, e.tokens - s.tokens, e.cost - s.cost))
                   AS x(counted)
         WHERE w.used <> x.counted
        """  # noqa: S608 - statements of this file


def _counted(at: str) -> str:
    """Whether a moment is in a slice of which every charge is there, none deleted by retention."""
    return f"date_bin('15 minutes', {at}, 'epoch') > {COUNTED_FROM}"


_APPEND_ONLY = (
    "allocation_keeps_its_terms",
    "allocation_stays_closed",
    "allocation_is_kept",
    "charge_settled_is_append_only",
    "charge_is_kept",
    "adjustment_is_append_only",
    "rotation_is_append_only",
    "auditentry_is_append_only",
    "decision_is_append_only",
    "price_is_append_only",
    "apikey_keeps_its_provider",
    "placement_never_changes",
    "placement_is_kept",
)

CHECKS = [
    Check(
        "1 commit-fits",
        "used + committed <= amount when something is committed, kept by a trigger that is on",
        _missing_triggers("window_commit_fits"),
    ),
    Check(
        "2 allocation-not-overspent",
        "used + held <= allocated in every allocation that is not flagged overrun",
        """
        SELECT session_id, allocated, used, held FROM keys_allocation
         WHERE used + held > allocated AND NOT overrun
        """,
    ),
    Check(
        "2 used-up-is-closed",
        "an allocation that used all its tokens, or more than was set aside, is closed",
        """
        SELECT session_id, allocated, used, status FROM keys_allocation
         WHERE (used >= allocated OR overrun) AND status = 'active'
        """,
    ),
    Check(
        "3 window-committed",
        "window.committed = what open allocations have left and calls in flight hold",
        f"""
        SELECT w.id AS window, w.scope, w.unit, w.committed, coalesce(
                 keys_in_unit(w.unit, c.tokens, c.cost), 0) AS counted
          FROM keys_window w LEFT JOIN ({sql.COMMITTED.text}) c ON c.scope = w.scope
         WHERE w.closed_at IS NULL AND w.committed <> coalesce(
                 keys_in_unit(w.unit, c.tokens, c.cost), 0)
        """,  # noqa: S608 - a constant
    ),
    Check(
        "3 allocation-held",
        "allocation.held = the sum of its held charges, in tokens and USD",
        """
        SELECT a.session_id, a.held, a.held_cost, c.tokens, c.cost
          FROM keys_allocation a
          LEFT JOIN (SELECT allocation_id, sum(held_tokens) AS tokens, sum(held_cost) AS cost
                       FROM keys_charge WHERE status = 'held' GROUP BY allocation_id) c
            ON c.allocation_id = a.id
         WHERE a.held <> coalesce(c.tokens, 0) OR a.held_cost <> coalesce(c.cost, 0)
        """,
    ),
    Check(
        "3 allocation-used",
        "allocation.used = the sum of its settled charges and adjustments, in tokens and USD",
        """
        SELECT a.session_id, a.used, a.used_cost, u.tokens, u.cost
          FROM keys_allocation a
          LEFT JOIN (SELECT allocation_id, sum(tokens) AS tokens, sum(cost) AS cost
                       FROM keys_settled_usage WHERE status = 'settled' GROUP BY allocation_id) u
            ON u.allocation_id = a.id
         WHERE (a.used <> coalesce(u.tokens, 0) OR a.used_cost <> coalesce(u.cost, 0))
           AND NOT EXISTS (
               SELECT FROM keys_chargepartition p
                WHERE p.dropped_at IS NOT NULL
                  AND date_trunc('month', a.created_at AT TIME ZONE 'UTC') = p.month)
        """,
    ),
    Check(
        "3 window-used",
        "window.used = the sum of the charges settled in it, as adjusted, in tokens or USD",
        _wrong_windows(
            """
            SELECT 'key:' || api_key_id AS scope, settled_at AS at, tokens, cost
              FROM keys_settled_usage WHERE status = 'settled'
            UNION ALL
            SELECT unnest(a.payers), u.settled_at, u.tokens, u.cost
              FROM keys_settled_usage u JOIN keys_allocation a ON a.id = u.allocation_id
             WHERE u.status = 'settled'
            """,
            only=f"w.starts_at > {COUNTED_FROM}",
        ),
    ),
    Check(
        "3 window-amount",
        "the amount of an open window = that of its limit and what was carried over into it",
        """
        SELECT w.id AS window, w.scope, w.unit, w.amount, w.carried, l.amount AS of_limit
          FROM keys_window w JOIN keys_limit l ON l.id = w.limit_id
         WHERE w.closed_at IS NULL AND w.amount <> l.amount + w.carried
        """,
    ),
    Check(
        "3 window-carried",
        "what was carried over is no more than the window right before left when it ended",
        # Not its exact amount: what was committed then, and the cap, are not in the rows.
        """
        SELECT w.id AS window, w.scope, w.unit, w.carried, p.amount - p.used + a.late AS left_then
          FROM keys_window w
          JOIN keys_window p ON p.limit_id = w.limit_id AND p.ends_at = w.starts_at,
               -- Usage that was corrected after the end.
               LATERAL (
                SELECT keys_in_unit(w.unit, coalesce(sum(j.tokens), 0), coalesce(sum(j.cost), 0))
                           AS late
                  FROM keys_adjustment j JOIN keys_allocation o ON o.id = j.allocation_id
                 WHERE j.settled_at >= p.starts_at AND j.settled_at < p.ends_at
                   AND j.created_at >= p.ends_at
                   AND (w.scope = 'key:' || j.api_key_id OR w.scope = ANY(o.payers))) a
         WHERE w.carried > 0 AND w.carried > p.amount - p.used + a.late
        """,
    ),
    Check(
        "3 one-open-window",
        "every limit in force has exactly one open window, its last",
        """
        SELECT l.id AS limit, l.scope FROM keys_limit l
         WHERE (l.removed_at IS NULL) <>
               EXISTS (SELECT FROM keys_window w WHERE w.limit_id = l.id AND w.closed_at IS NULL)
        UNION ALL
        SELECT a.limit_id, a.scope FROM keys_window a JOIN keys_window b
            ON a.limit_id = b.limit_id AND a.id < b.id
         WHERE a.closed_at IS NULL
        """,
    ),
    Check(
        "4 charge-ends-once",
        "a charge holds or has ended, and only a settled one has tokens, a cost and a moment",
        """
        SELECT id AS charge, status, tokens, cost FROM keys_charge
         WHERE (status = 'settled') <> (settled_at IS NOT NULL)
            OR status <> 'settled' AND (tokens <> 0 OR cost <> 0)
        """,
    ),
    Check(
        "5 unknown-is-not-zero",
        "a charge settled on an estimate, with something held, is not zero",
        """
        SELECT id AS charge, held_tokens FROM keys_charge
         WHERE status = 'settled' AND basis = 'estimated' AND tokens = 0 AND held_tokens > 0
        """,
    ),
    Check(
        "6 adjusted-charge-is-final",
        "an adjusted charge is settled, cannot be settled late, and counts for 0 or more",
        """
        SELECT c.id AS charge, c.status, c.tokens + j.tokens AS tokens, c.cost + j.cost AS cost
          FROM keys_charge c
          JOIN (SELECT charge_id, sum(tokens) AS tokens, sum(cost) AS cost
                  FROM keys_adjustment GROUP BY charge_id) j ON j.charge_id = c.id
         WHERE c.status <> 'settled' OR c.hold_expired_at IS NOT NULL
            OR c.tokens + j.tokens < 0 OR c.cost + j.cost < 0
        """,
    ),
    Check(
        "6 append-only",
        "settled charges, their adjustments, rotations, prices and audit entries are kept by "
        "triggers that are on",
        _missing_triggers(*_APPEND_ONLY),
    ),
    Check(
        "6 charge-is-in-one-place",
        "a charge is in the table of charges or in one of its partitions, never in two",
        "SELECT id AS charge, count(*) FROM keys_charge GROUP BY id HAVING count(*) > 1",
    ),
    Check(
        "6 partitions-of-charges",
        "each partition of charges is there, with triggers that keep its rows, and there are no "
        "others",
        """
        SELECT coalesce(p.name, t.relname) AS partition
          FROM (SELECT 'keys_charge_' || to_char(month, 'YYYY_MM') AS name
                  FROM keys_chargepartition WHERE dropped_at IS NULL) p
          FULL JOIN (
            SELECT c.relname, (
                     SELECT count(*) FROM pg_trigger g
                      WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D'
                        AND g.tgname IN ('rows_are_final', 'rows_come_from_the_table')) AS triggers
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = 'keys_charge'::regclass) t ON t.relname = p.name
         WHERE p.name IS NULL OR t.relname IS NULL OR t.triggers <> 2
        """,
    ),
    Check(
        "7 slices-of-charges",
        "each slice of usage = the charges settled in it, as adjusted; shown is what it lacks",
        f"""
        SELECT starts_at, api_key_id AS key, agent_id AS agent, cost_centre_id AS cost_centre,
               label, model, placement_id AS placement,
               sum(calls) AS calls, sum(tokens) AS tokens, sum(cost) AS cost
          FROM (
            SELECT date_bin('15 minutes', u.settled_at, 'epoch') AS starts_at, u.api_key_id,
                   a.agent_id, a.cost_centre_id, a.label, u.model, a.placement_id, {_SUMS}
              FROM (
                SELECT c.settled_at, c.allocation_id, c.api_key_id, c.model,
                       {columns(usage_of("c"))}
                  FROM keys_charge c WHERE c.status = 'settled' AND {_counted("c.settled_at")}
                UNION ALL
                SELECT j.settled_at, j.allocation_id, j.api_key_id, j.model,
                       {columns(usage_of_adjustment("j", "c"))}
                  FROM keys_adjustment j JOIN keys_charge c ON c.id = j.charge_id
                 WHERE {_counted("j.settled_at")}
              ) AS u JOIN keys_allocation a ON a.id = u.allocation_id
            UNION ALL
            SELECT starts_at, api_key_id, agent_id, cost_centre_id, label, model, placement_id,
                   {_LESS}
              FROM keys_usageslice WHERE {_counted("starts_at")}
          ) AS each
         GROUP BY 1, 2, 3, 4, 5, 6, 7
        HAVING {_DIFFER}
        """,  # noqa: S608 - names of columns
    ),
    Check(
        "7 slices-of-windows",
        "window.used = the slices of its scope, where it begins and ends with a slice",
        _wrong_windows(
            """
            SELECT 'key:' || api_key_id AS scope, starts_at AS at, tokens, cost
              FROM keys_usageslice
            UNION ALL
            SELECT 'agent:' || agent_id, starts_at, tokens, cost FROM keys_usageslice
            UNION ALL
            SELECT 'centre:' || unnest(p.path), s.starts_at, s.tokens, s.cost
              FROM keys_usageslice s JOIN keys_placement p ON p.id = s.placement_id
            """,
            only="""
            date_bin('15 minutes', w.starts_at, 'epoch') = w.starts_at
            AND date_bin('15 minutes', w.ends_at, 'epoch') = w.ends_at
            """,
        ),
    ),
    Check(
        "7 days-of-slices",
        "each day of usage that counts = its slices; shown is what the slices lack",
        f"""
        WITH stale AS (
            SELECT DISTINCT (t.starts_at AT TIME ZONE r.zone)::date AS day
              FROM keys_staleusage t, keys_usagerollup r
        )
        SELECT day, api_key_id AS key, agent_id AS agent, cost_centre_id AS cost_centre, model,
               placement_id AS placement, sum(calls) AS calls, sum(tokens) AS tokens,
               sum(cost) AS cost
          FROM (
            SELECT day, api_key_id, agent_id, cost_centre_id, model, placement_id, {_SUMS}
              FROM keys_usageday
            UNION ALL
            SELECT d.day, s.api_key_id, s.agent_id, s.cost_centre_id, s.model, s.placement_id,
                   {_LESS}
              FROM keys_usageslice s, keys_usagerollup r,
                   LATERAL (SELECT (s.starts_at AT TIME ZONE r.zone)::date) AS d(day)
             WHERE d.day <= r.through
          ) AS each
         WHERE day NOT IN (SELECT day FROM stale)
         GROUP BY 1, 2, 3, 4, 5, 6
        HAVING {_DIFFER}
        """,  # noqa: S608 - names of columns
    ),
    Check(
        "8 places-in-the-tree",
        "each cost centre is below its parent, and has a placement there",
        """
        SELECT c.slug AS cost_centre, c.path FROM keys_costcentre c
          LEFT JOIN keys_costcentre above ON above.slug = c.parent_id
         WHERE c.path <> coalesce(above.path, '{}') || c.slug
            OR NOT EXISTS (SELECT FROM keys_placement p
                            WHERE p.cost_centre_id = c.slug AND p.path = c.path)
        """,
    ),
    Check(
        "8 placements-of-allocations",
        "each allocation names the placement of the cost centres that pay for it",
        """
        WITH places AS MATERIALIZED (
            SELECT p.id, p.cost_centre_id, (
                     SELECT array_agg('centre:' || s.slug ORDER BY s.place)
                       FROM unnest(p.path) WITH ORDINALITY AS s(slug, place)) AS scopes
              FROM keys_placement p
        )
        SELECT a.session_id, a.cost_centre_id AS cost_centre, a.payers
          FROM keys_allocation a JOIN places p ON p.id = a.placement_id
         WHERE p.cost_centre_id <> a.cost_centre_id OR p.scopes <> a.payers[2:]
        """,
    ),
]


_added: list[Check] = []


def register(checks: Iterable[Check]) -> None:
    """Add checks of an app above, from its module `books_checks`, which is imported at start."""
    _added.extend(checks)


def books_check() -> list[Finding]:
    """Run every check; returns a finding for each, with `count` 0 where the invariant holds."""
    return run_checks([*CHECKS, *_added])
