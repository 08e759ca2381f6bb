"""Statements that end attempts, and update the sub-tasks and tasks that depend on them."""

from typing import NamedTuple

from common.statements import NoRow, Statement
from orchestration.sql.rows import AttemptRow, TaskRow


class EndedDependent(NamedTuple):
    """A sub-task that ended because one that it depends on failed."""

    sub_task_id: int


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

# Unblock sub-tasks whose last dependency has succeeded, was skipped by a person, or has ended in
# another way, if they run also then.
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
             WHERE d.sub_task_id = s.id AND n.status <> 'succeeded'
               AND NOT (n.status = 'cancelled' AND n.error_kind = 'skipped')
               AND NOT (s.if_dependency_fails = 'run' AND n.status IN ('failed', 'cancelled')))
    """,
    NoRow,
)

# End all sub-tasks that depend, directly or indirectly, on failed ones, but those that run then:
# they fail, or are skipped. Their errors name the one that failed first.
END_DEPENDENTS = Statement(
    """
    -- All sub-tasks that depend on the failed ones, directly or through others, with the cause.
    WITH RECURSIVE dependent AS (
        SELECT s.id, s.if_dependency_fails AS rule, n.key AS cause, n.error_kind AS why
          FROM orchestration_dependency d
          JOIN orchestration_subtask n ON n.id = d.needs_id
          JOIN orchestration_subtask s ON s.id = d.sub_task_id
         WHERE d.needs_id = ANY(%(failed)s) AND s.if_dependency_fails <> 'run'
        UNION
        SELECT s.id, s.if_dependency_fails, dependent.cause, dependent.why
          FROM orchestration_dependency d
          JOIN dependent ON d.needs_id = dependent.id
          JOIN orchestration_subtask s ON s.id = d.sub_task_id
         WHERE s.if_dependency_fails <> 'run'
    ),
    -- One cause of each.
    named AS (
        SELECT DISTINCT ON (id) * FROM dependent ORDER BY id, cause
    )
    UPDATE orchestration_subtask s
       SET status = CASE d.rule WHEN 'skip' THEN 'cancelled' ELSE 'failed' END,
           error_kind = 'dependency_failed',
           error = CASE d.rule WHEN 'skip' THEN 'Skipped: the' ELSE 'The' END
               || ' sub-task ' || d.cause || ', which it depends on, failed'
               || CASE d.why WHEN '' THEN '' ELSE ' (' || d.why || ')' END || '.',
           ended_at = %(now)s, waiting_since = NULL
      FROM named d WHERE s.id = d.id AND s.status IN ('blocked', 'gated')
    RETURNING s.id AS sub_task_id
    """,
    EndedDependent,
)

# End tasks without open sub-tasks. What a person skipped does not count.
END_TASKS = Statement(
    """
    UPDATE orchestration_task t
       SET ended_at = %(now)s,
           status = CASE WHEN t.status = 'cancelling' THEN 'cancelled'
                         WHEN s.succeeded = s.n AND s.n > 0 THEN 'completed'
                         WHEN s.succeeded > 0 THEN 'partial'
                         ELSE 'failed' END,
           -- Who resumed or retried it is not why it ended.
           status_reason = CASE t.status WHEN 'cancelling' THEN t.status_reason ELSE '' END
      FROM (SELECT task_id,
                   count(*) FILTER (WHERE position > 0
                       AND NOT (status = 'cancelled' AND error_kind = 'skipped')) AS n,
                   count(*) FILTER (WHERE position > 0 AND status = 'succeeded') AS succeeded
              FROM orchestration_subtask WHERE task_id = ANY(%(tasks)s)
             GROUP BY task_id
            HAVING count(*) FILTER (
                   WHERE status IN ('blocked', 'gated', 'waiting', 'running')) = 0) s
     WHERE t.id = s.task_id AND t.status IN ('active', 'paused', 'cancelling')
    RETURNING t.id AS task_id
    """,
    TaskRow,
)
