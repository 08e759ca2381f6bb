"""Rotate: change what the windows have committed."""

from common.statements import NoRow, Statement

# Add to what the open windows of each scope have committed (arrays of equal length), under LOCK.
MOVE = Statement(
    """
    UPDATE keys_window w
       SET committed = w.committed + keys_in_unit(w.unit, m.tokens, m.cost)
      FROM unnest(%(scope)s::text[], %(tokens)s::bigint[], %(cost)s::numeric[])
           AS m(scope, tokens, cost)
     WHERE w.scope = m.scope AND w.closed_at IS NULL
    """,
    NoRow,
)
