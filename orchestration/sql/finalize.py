"""Statements that record what attempts used, once their allocations can no longer change."""

from typing import NamedTuple

from common.statements import Statement
from orchestration.sql.rows import TaskRow


class UnfinalizedAttempt(NamedTuple):
    """An ended attempt that is not finalized; `allocation_id`: its allocation if it is active."""

    attempt_id: int
    status: str
    error_kind: str
    allocation_id: int | None


# Joined by session id, because a worker may have died before it recorded the allocation.
FINALIZE = Statement(
    """
    -- Ended attempts without an allocation, or whose allocation is closed and holds nothing.
    WITH final AS MATERIALIZED (
        SELECT a.id, a.task_id, a.tokens, l.allocation_id, l.api_key_id,
               coalesce(l.used, 0) AS used, coalesce(l.used_cost, 0) AS cost
          FROM orchestration_attempt a
          LEFT JOIN keys_allocation_usage l ON l.session_id = a.session_id
         WHERE a.id = ANY(%(attempts)s) AND a.status <> 'running' AND a.finalized_at IS NULL
           AND (l.allocation_id IS NULL OR l.status <> 'active' AND l.held = 0)
    ),
    -- Record once what each attempt used.
    written AS (
        UPDATE orchestration_attempt a
           SET used_tokens = f.used, cost = f.cost, allocation_id = f.allocation_id,
               api_key_id = f.api_key_id, finalized_at = %(now)s
          FROM final f WHERE a.id = f.id AND a.finalized_at IS NULL
        RETURNING a.task_id, a.tokens, a.used_tokens
    )
    UPDATE orchestration_task t
       SET lent = t.lent - w.tokens, used = t.used + w.used,
           overrun = t.overrun OR t.lent - w.tokens + t.used + w.used > t.budget
      FROM (SELECT task_id, sum(tokens) AS tokens, sum(used_tokens) AS used
              FROM written GROUP BY task_id) w
     WHERE t.id = w.task_id
    RETURNING t.id AS task_id
    """,
    TaskRow,
)

# Ended attempts that are not finalized, and their allocation if it is still active.
NOT_FINALIZED = Statement(
    """
    SELECT a.id AS attempt_id, a.status, a.error_kind, l.allocation_id
      FROM orchestration_attempt a
      LEFT JOIN keys_allocation_usage l ON l.session_id = a.session_id AND l.status = 'active'
     WHERE a.finalized_at IS NULL AND a.status <> 'running'
       AND (%(attempts)s::bigint[] IS NULL OR a.id = ANY(%(attempts)s::bigint[]))
     ORDER BY a.ended_at
     LIMIT %(most)s
    """,
    UnfinalizedAttempt,
)
