"""Freeze what the books have of a month into the lines of the month that is being closed."""

from common.statements import NoRow, Statement
from keys.books.queries.month_usage import (
    MONTH_MEASURES,
    MONTH_USAGE,
    OPEN_ESTIMATES,
    adjustments_sql,
)

_NAMES = ", ".join(MONTH_MEASURES)
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in MONTH_MEASURES)
_LESS = ", ".join(f"-l.{name}" for name in MONTH_MEASURES)
_DIFFER = " OR ".join(f"sum({name}) <> 0" for name in MONTH_MEASURES)
_GROUP = [
    *("day", "provider", "api_key", "agent", "cost_centre", "placement_id", "cost_centre_name"),
    *("model", "model_name", "label"),
]
_GROUP_OF_LINES = ", ".join(f"l.{name}" for name in _GROUP)

# The lines of `close`, which is open: what the books have of the month of the close `month`, less
# what lines of closes that count have of it. For the month of `close` itself that is all its usage;
# for an earlier one, what changed since. One statement sees one snapshot: adjustments of the month
# and estimates that can still change are those that the lines contain.
FREEZE = Statement(
    f"""
    WITH adjusted AS (
        UPDATE reports_monthclose c
           SET adjusted_tokens = a.tokens, adjusted_cost = a.cost
          FROM ({adjustments_sql("%(since)s", "%(until)s")}) a
         WHERE c.id = %(close)s AND %(close)s = %(month)s
    ),
    estimates AS (
        INSERT INTO reports_openestimate (close_id, charge_id, tokens, cost)
        SELECT %(close)s, charge_id, tokens, cost FROM ({OPEN_ESTIMATES}) e
         WHERE %(close)s = %(month)s
    ),
    usage AS (
        {MONTH_USAGE}
        UNION ALL
        SELECT {_GROUP_OF_LINES}, {_LESS}
          FROM reports_closeline l JOIN reports_monthclose c ON c.id = l.close_id
         WHERE coalesce(l.corrects_id, l.close_id) = %(month)s AND c.status <> 'reopened'
    )
    INSERT INTO reports_closeline (
        close_id, corrects_id, day, provider, api_key, agent, cost_centre, placement_id,
        cost_centre_name, model, model_name, label, {_NAMES})
    SELECT %(close)s, nullif(%(month)s::bigint, %(close)s), day, max(provider), api_key, agent,
           cost_centre, placement_id, max(cost_centre_name), model, max(model_name), label, {_SUMS}
      FROM usage
     GROUP BY day, api_key, agent, cost_centre, placement_id, model, label
    HAVING {_DIFFER}
     ORDER BY cost_centre, agent, day, api_key, model, label, placement_id
    """,  # noqa: S608 - names of columns
    NoRow,
)
