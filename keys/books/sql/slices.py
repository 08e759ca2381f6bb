"""Slices: what charges add to the usage of 15 minutes, when they end and when they are adjusted."""

from common.statements import NoRow, Statement
from keys.models import FIGURES, MEASURES


def usage_of(charge: str) -> dict[str, str]:
    """What a row of charges counts for, as an expression for each measure of slices."""
    settled = f"{charge}.status = 'settled'"
    estimated = f"{settled} AND {charge}.basis = 'estimated'"
    return {
        **{name: f"{charge}.{name}" for name in FIGURES},
        "calls": f"({settled})::int",
        "released": f"({charge}.status = 'released')::int",
        "expired": f"({charge}.status = 'expired')::int",
        "overruns": f"{charge}.overrun::int",
        "provider_cost": f"coalesce({charge}.provider_cost, 0)",
        "provider_calls": f"({charge}.provider_cost IS NOT NULL)::int",
        "estimated_calls": f"({estimated})::int",
        "estimated_cost": f"CASE WHEN {estimated} THEN {charge}.cost ELSE 0 END",
    }


def usage_of_adjustment(adjustment: str, charge: str) -> dict[str, str]:
    """What an adjustment adds, as an expression for each measure; the first one of a charge also
    replaces an estimate."""
    replaces = f"""
        {charge}.basis = 'estimated' AND NOT EXISTS (
            SELECT FROM keys_adjustment earlier
             WHERE earlier.charge_id = {charge}.id AND earlier.id < {adjustment}.id)
        """  # noqa: S608 - names of tables
    return {
        **dict.fromkeys(MEASURES, "0"),
        **{name: f"{adjustment}.{name}" for name in FIGURES},
        "estimated_calls": f"CASE WHEN {replaces} THEN -1 ELSE 0 END",
        "estimated_cost": f"CASE WHEN {replaces} THEN -{charge}.cost ELSE 0 END",
    }


def columns(usage: dict[str, str]) -> str:
    """The measures as output columns."""
    return ", ".join(f"{usage[name]} AS {name}" for name in MEASURES)


def change(before: dict[str, str], after: dict[str, str]) -> str:
    """The differences of measures as output columns."""
    return columns({name: f"{after[name]} - {before[name]}" for name in MEASURES})


SUMS = ", ".join(f"sum({name}) AS {name}" for name in MEASURES)
_NAMES = ", ".join(MEASURES)
_ADDED = ", ".join(f"{name} = s.{name} + excluded.{name}" for name in MEASURES)

# After a CTE `ended` with `api_key_id`, `model`, `counts_at` and what each charge adds to the
# measures. Sorted, so that two batches wait for each other and cannot deadlock.
SLICES = f"""
    -- The slices, with what was used in them.
    sliced AS (
        INSERT INTO keys_usageslice AS s (
            starts_at, api_key_id, agent_id, cost_centre_id, label, model, placement_id, {_NAMES})
        SELECT date_bin('15 minutes', e.counts_at, 'epoch'), e.api_key_id, a.agent_id,
               a.cost_centre_id, a.label, e.model, a.placement_id, {SUMS}
          FROM ended e JOIN keys_allocation a ON a.id = e.allocation_id
         GROUP BY 1, 2, 3, 4, 5, 6, 7
         ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (starts_at, api_key_id, agent_id, cost_centre_id, label, model, placement_id)
        DO UPDATE SET {_ADDED}
    )
"""  # noqa: S608 - names of columns

# Add charges to the slices that were written as ended, without the statements of calls. When a hold
# was released is not recorded: it counts when it was made.
COUNT_CHARGES = Statement(
    f"""
    WITH ended AS (
        SELECT c.allocation_id, c.api_key_id, c.model,
               CASE c.status WHEN 'settled' THEN c.settled_at WHEN 'released' THEN c.created_at
                             ELSE c.expires_at END AS counts_at,
               {columns(usage_of("c"))}
          FROM keys_charge c
         WHERE c.allocation_id = ANY(%(allocations)s) AND c.status <> 'held'
    ),
    {SLICES}
    SELECT
    """,  # noqa: S608 - names of columns
    NoRow,
)
