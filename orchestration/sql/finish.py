"""What follows from the end of attempts."""

from common.statements import NoRow, Statement
from orchestration.sql.rows import AttemptRow

# Who speaks with a broken fence is not heard.
END_ATTEMPTS = Statement(
    """
    -- How the workers say that their attempts ended.
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(ended)s) AS g(
            attempt bigint, fence int, status text, error_kind text, error text, facts jsonb)
    )
    UPDATE orchestration_attempt a
       SET status = g.status, error_kind = g.error_kind, error = g.error, facts = g.facts,
           ended_at = %(now)s
      FROM given g
     WHERE a.id = g.attempt AND a.fence = g.fence AND a.status = 'running'
    RETURNING a.id AS attempt_id
    """,
    AttemptRow,
)

# Sub-tasks whose attempt has ended, as was decided.
MOVE_SUB_TASKS = Statement(
    """
    -- What was decided of each.
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(moves)s) AS g(
            sub_task bigint, status text, not_before timestamptz, retries int, recoveries int,
            error_kind text, error text, result text)
    )
    UPDATE orchestration_subtask s
       SET status = g.status, retries = g.retries, recoveries = g.recoveries,
           error_kind = g.error_kind, error = g.error, result = g.result,
           not_before = coalesce(g.not_before, s.not_before),
           waiting_since = CASE
               WHEN g.status = 'waiting'
               THEN coalesce(CASE WHEN g.error_kind IN ('no_capacity', 'rate_limited')
                                  THEN s.waiting_since END, %(now)s) END,
           ended_at = CASE WHEN g.status <> 'waiting' THEN %(now)s::timestamptz END
      FROM given g
     WHERE s.id = g.sub_task AND s.status = 'running'
    """,
    NoRow,
)

# Sub-tasks whose last dependency has succeeded.
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

# Whatever waits, however indirectly, for what failed.
FAIL_DEPENDENTS = Statement(
    """
    -- All that depend on what failed, directly or through others.
    WITH RECURSIVE lost AS (
        SELECT sub_task_id AS id FROM orchestration_dependency WHERE needs_id = ANY(%(failed)s)
        UNION
        SELECT d.sub_task_id FROM orchestration_dependency d JOIN lost ON d.needs_id = lost.id
    )
    UPDATE orchestration_subtask s
       SET status = 'failed', error_kind = 'dependency_failed',
           error = 'What it depends on failed.', ended_at = %(now)s, waiting_since = NULL
      FROM lost WHERE s.id = lost.id AND s.status IN ('blocked', 'gated')
    """,
    NoRow,
)

# Tasks of which nothing is open any more.
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
