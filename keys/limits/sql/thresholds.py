"""Soft thresholds of windows: which are reached, and which comes next.

Only budgets have them: limits of cost centres and agents.
"""

from decimal import Decimal
from typing import NamedTuple

from common.statements import Statement


class Crossed(NamedTuple):
    """A threshold that a window has reached now, with what an alert says of it."""

    window_id: int
    scope: str
    unit: str
    period: str
    threshold: str
    figure: Decimal
    used: Decimal
    amount: Decimal


class Rearmed(NamedTuple):
    """A threshold that a window had reached and that is above its usage again."""

    window_id: int
    threshold: str


# After a condition on `w`, the open windows: locked, with each of their thresholds.
_THRESHOLDS = """
    windows AS MATERIALIZED (
        SELECT w.id, w.scope, w.unit, w.used, w.amount, l.period,
               coalesce(l.threshold_percents, %(percents)s::smallint[]) AS percents,
               l.threshold_amounts AS amounts
          FROM keys_window w JOIN keys_limit l ON l.id = w.limit_id
         WHERE w.closed_at IS NULL AND l.api_key_id IS NULL AND {}
         ORDER BY w.id FOR NO KEY UPDATE OF w
    ),
    -- Each threshold and the usage at which it is reached. Of an amount of 0 there are none.
    thresholds AS (
        SELECT w.id AS window_id, w.used, t.threshold, t.figure
          FROM windows w CROSS JOIN LATERAL (
                SELECT p || '%%' AS threshold, w.amount * p / 100 AS figure FROM unnest(percents) p
                UNION
                SELECT trim_scale(a)::text, a FROM unnest(amounts) a
               ) AS t
         WHERE t.figure > 0
    )
"""
# Which thresholds of these windows are reached and were not before; under their locks, so each is
# found once.
CROSS = Statement(
    f"""
    WITH {_THRESHOLDS.format("w.id = ANY(%(windows)s)")},
    crossed AS (
        INSERT INTO keys_thresholdcrossing (window_id, threshold, figure, used, crossed_at)
        SELECT window_id, threshold, figure, used, %(at)s FROM thresholds WHERE figure <= used
            ON CONFLICT (window_id, threshold) WHERE ended_at IS NULL DO NOTHING
        RETURNING window_id, threshold, figure
    ),
    marked AS (
        UPDATE keys_window k
           SET next_threshold = (SELECT min(t.figure) FROM thresholds t
                                  WHERE t.window_id = w.id AND t.figure > w.used)
          FROM windows w WHERE k.id = w.id
    )
    SELECT c.window_id, w.scope, w.unit, w.period, c.threshold, c.figure, w.used, w.amount
      FROM crossed c JOIN windows w ON w.id = c.window_id
     ORDER BY c.window_id, c.figure
    """,  # noqa: S608 - a constant
    Crossed,
)


def _arm(condition: str) -> Statement[Rearmed]:
    """Which threshold comes next in the windows of the condition on `w`.

    What was reached counts no longer where it is above the usage now, because the amount was
    raised: it can be reached again. One that is reached already comes next, too.
    """
    return Statement(
        f"""
        WITH {_THRESHOLDS.format(condition)},
        rearmed AS (
            UPDATE keys_thresholdcrossing c SET ended_at = %(at)s FROM thresholds t
             WHERE c.window_id = t.window_id AND c.threshold = t.threshold AND c.ended_at IS NULL
               AND t.figure > c.figure AND t.figure > t.used
            RETURNING c.id, c.window_id, c.threshold
        ),
        marked AS (
            UPDATE keys_window k
               SET next_threshold = (
                   SELECT min(t.figure) FROM thresholds t
                    WHERE t.window_id = w.id
                      AND (t.figure > w.used
                           OR NOT EXISTS (
                               SELECT FROM keys_thresholdcrossing c
                                WHERE c.window_id = t.window_id AND c.threshold = t.threshold
                                  AND c.ended_at IS NULL)))
              FROM windows w WHERE k.id = w.id
        )
        SELECT window_id, threshold FROM rearmed ORDER BY id
        """,  # noqa: S608 - constants
        Rearmed,
    )


# Of some windows, and of all that have the percentages of the organisation.
ARM = _arm("w.id = ANY(%(windows)s)")
ARM_ALL = _arm("l.threshold_percents IS NULL")


class Reached(NamedTuple):
    """A window that has reached a threshold."""

    window_id: int


# Windows that have reached a threshold of which nothing has told: no settlement came since it was
# set, or the usage was imported.
REACHED = Statement(
    """
    SELECT id AS window_id FROM keys_window
     WHERE closed_at IS NULL AND used >= next_threshold ORDER BY id
    """,
    Reached,
)

# What was reached in windows that have closed counts no longer.
END_CROSSINGS = Statement(
    """
    UPDATE keys_thresholdcrossing c SET ended_at = %(at)s FROM keys_window w
     WHERE c.window_id = w.id AND c.ended_at IS NULL AND w.closed_at IS NOT NULL
    RETURNING c.window_id, c.threshold
    """,
    Rearmed,
)
