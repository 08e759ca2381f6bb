"""The tasks check: invariants between tasks, sub-tasks, attempts and the books."""

from common.row_checks import Check, Finding, run_checks

CHECKS = [
    Check(
        "task-not-overspent",
        "lent + used <= budget in every task that is not flagged overrun",
        """
        SELECT id AS task, budget, lent, used FROM orchestration_task
         WHERE lent + used > budget AND NOT overrun
        """,
    ),
    Check(
        "task-lent",
        "task.lent = tokens lent to attempts that are not finalized",
        """
        SELECT t.id AS task, t.lent, coalesce(sum(a.tokens), 0) AS counted
          FROM orchestration_task t
          LEFT JOIN orchestration_attempt a ON a.task_id = t.id AND a.finalized_at IS NULL
         GROUP BY t.id HAVING t.lent <> coalesce(sum(a.tokens), 0)
        """,
    ),
    Check(
        "task-used",
        "task.used = tokens used by finalized attempts",
        """
        SELECT t.id AS task, t.used, coalesce(sum(a.used_tokens), 0) AS counted
          FROM orchestration_task t
          LEFT JOIN orchestration_attempt a ON a.task_id = t.id AND a.finalized_at IS NOT NULL
         GROUP BY t.id HAVING t.used <> coalesce(sum(a.used_tokens), 0)
        """,
    ),
    Check(
        "attempt-used",
        "a finalized attempt has the usage of its allocation, unless that was adjusted later; the "
        "allocation is closed and holds nothing",
        """
        SELECT a.id AS attempt, a.used_tokens, a.cost, l.used, l.used_cost, l.held, l.status
          FROM orchestration_attempt a
          LEFT JOIN keys_allocation_usage l ON l.session_id = a.session_id
         WHERE a.finalized_at IS NOT NULL
           AND (l.status = 'active' OR l.held > 0
                OR (a.used_tokens <> coalesce(l.used, 0) OR a.cost <> coalesce(l.used_cost, 0))
                   AND NOT EXISTS (SELECT FROM keys_settled_usage u
                                    WHERE u.allocation_id = l.allocation_id AND u.calls = 0))
        """,
    ),
    Check(
        "allocation-within-attempt",
        "an attempt's allocation has the tokens that the attempt was lent",
        """
        SELECT a.id AS attempt, a.tokens, l.allocated
          FROM orchestration_attempt a JOIN keys_allocation_usage l ON l.session_id = a.session_id
         WHERE a.tokens <> l.allocated
        """,
    ),
    Check(
        "one-winner",
        "a sub-task succeeded if and only if exactly one of its attempts did",
        """
        SELECT s.id AS sub_task, s.status, count(a.id) AS winners
          FROM orchestration_subtask s
          LEFT JOIN orchestration_attempt a ON a.sub_task_id = s.id AND a.status = 'succeeded'
         GROUP BY s.id HAVING (s.status = 'succeeded')::int <> count(a.id)
        """,
    ),
    Check(
        "running-runs",
        "a sub-task is running if and only if one of its attempts is",
        """
        SELECT s.id AS sub_task, s.status, count(a.id) AS attempts
          FROM orchestration_subtask s
          LEFT JOIN orchestration_attempt a ON a.sub_task_id = s.id AND a.status = 'running'
         GROUP BY s.id HAVING (s.status = 'running')::int <> count(a.id)
        """,
    ),
    Check(
        "order",
        "no sub-task started before all that it depends on had succeeded or were skipped, unless "
        "it runs also then",
        """
        SELECT s.id AS sub_task, n.id AS needs, n.status
          FROM orchestration_dependency d
          JOIN orchestration_subtask s ON s.id = d.sub_task_id
          JOIN orchestration_subtask n ON n.id = d.needs_id
          JOIN orchestration_attempt a ON a.sub_task_id = s.id
         WHERE s.if_dependency_fails <> 'run'
           AND NOT (n.status = 'cancelled' AND n.error_kind = 'skipped')
           AND (n.status <> 'succeeded' OR a.created_at < n.ended_at)
        """,
    ),
    Check(
        "ended",
        "a task has ended if and only if none of its sub-tasks is open",
        """
        SELECT t.id AS task, t.status, count(s.id) AS open
          FROM orchestration_task t
          LEFT JOIN orchestration_subtask s ON s.task_id = t.id
                AND s.status IN ('blocked', 'gated', 'waiting', 'running')
         GROUP BY t.id HAVING (t.ended_at IS NULL) <> (count(s.id) > 0)
        """,
    ),
]


def tasks_check() -> list[Finding]:
    """Run every check. Returns one finding each, with `count` 0 if the invariant holds."""
    return run_checks(CHECKS)
