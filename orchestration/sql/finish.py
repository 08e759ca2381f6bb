"""Statements that end attempts, and update the sub-tasks and tasks that depend on them."""

from common.statements import NoRow, Statement
from orchestration.sql.rows import AttemptRow

# Reports with an outdated fence, from a worker that lost the attempt, have no effect.
END_ATTEMPTS = Statement(
    """
    -- The outcomes that the workers report.
    WITH reported AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(outcomes)s) AS r(
            attempt bigint, fence int, status text, error_kind text, error text, facts jsonb)
    )
    UPDATE orchestration_attempt a
       SET status = r.status, error_kind = r.error_kind, error = r.error, facts = r.facts,
           ended_at = %(now)s
      FROM reported r
     WHERE a.id = r.attempt AND a.fence = r.fence AND a.status = 'running'
    RETURNING a.id AS attempt_id
    """,
    AttemptRow,
)

# Give sub-tasks whose attempt has ended their next status.
MOVE_SUB_TASKS = Statement(
    """
    -- The decided changes of each sub-task.
    WITH changes AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(moves)s) AS c(
            sub_task bigint, status text, not_before timestamptz, retries int, recoveries int,
            error_kind text, error text, sealed_result bytea)
    )
    UPDATE orchestration_subtask s
       SET status = c.status, retries = c.retries, recoveries = c.recoveries,
           error_kind = c.error_kind, error = c.error,
           sealed_result = c.sealed_result,
           not_before = coalesce(c.not_before, s.not_before),
           waiting_since = CASE
               WHEN c.status = 'waiting'
               THEN coalesce(CASE WHEN c.error_kind IN ('no_capacity', 'rate_limited')
                                  THEN s.waiting_since END, %(now)s) END,
           ended_at = CASE WHEN c.status <> 'waiting' THEN %(now)s::timestamptz END
      FROM changes c
     WHERE s.id = c.sub_task AND s.status = 'running'
    """,
    NoRow,
)

# Unblock sub-tasks whose last dependency has succeeded.
UNBLOCK = Statement(
    """
    UPDATE orchestration_subtask s
       SET status = CASE WHEN s.needs_approval AND s.approved_at IS NULL THEN 'gated'
                         ELSE 'waiting' END,
           waiting_since = %(now)s, not_before = %(now)s
     WHERE s.status = 'blocked'
       AND s.id IN (SELECT sub_task_id FROM orchestration_dependency
                     WHERE needs_id = ANY(%(done)s))
       AND NOT EXISTS (
            SELECT FROM orchestration_dependency d
              JOIN orchestration_subtask n ON n.id = d.needs_id
             WHERE d.sub_task_id = s.id AND n.status <> 'succeeded')
    """,
    NoRow,
)

# Fail all sub-tasks that depend, directly or indirectly, on failed ones.
FAIL_DEPENDENTS = Statement(
    """
    -- All sub-tasks that depend on the failed ones, directly or through others.
    WITH RECURSIVE dependent AS (
        SELECT sub_task_id AS id FROM orchestration_dependency WHERE needs_id = ANY(%(failed)s)
        UNION
        SELECT d.sub_task_id
          FROM orchestration_dependency d JOIN dependent ON d.needs_id = dependent.id
    )
    UPDATE orchestration_subtask s
       SET status = 'failed', error_kind = 'dependency_failed',
           error = 'A sub-task that it depends on failed.', ended_at = %(now)s,
           waiting_since = NULL
      FROM dependent WHERE s.id = dependent.id AND s.status IN ('blocked', 'gated')
    """,
    NoRow,
)

# End tasks without open sub-tasks.
END_TASKS = Statement(
    """
    UPDATE orchestration_task t
       SET ended_at = %(now)s,
           status = CASE WHEN t.status = 'cancelling' THEN 'cancelled'
                         WHEN s.succeeded = s.n AND s.n > 0 THEN 'completed'
                         WHEN s.succeeded > 0 THEN 'partial'
                         ELSE 'failed' END
      FROM (SELECT task_id, count(*) FILTER (WHERE position > 0) AS n,
                   count(*) FILTER (WHERE position > 0 AND status = 'succeeded') AS succeeded
              FROM orchestration_subtask WHERE task_id = ANY(%(tasks)s)
             GROUP BY task_id
            HAVING count(*) FILTER (
                   WHERE status IN ('blocked', 'gated', 'waiting', 'running')) = 0) s
     WHERE t.id = s.task_id AND t.status IN ('active', 'paused', 'cancelling')
    """,
    NoRow,
)
