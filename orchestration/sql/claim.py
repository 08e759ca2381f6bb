"""Which sub-tasks are begun next, and which attempts nobody looks after."""

# One at a time gives places, so what is counted of running attempts can only become less meanwhile.
GIVE_PLACES = "SELECT pg_advisory_xact_lock(0x776f726b)"

# Waiting sub-tasks that their own task has a place for: the heaviest first within a task, and one
# of each task before the second of any.
CANDIDATES = """
SELECT s.id, t.id AS task_id
  FROM orchestration_task t
 CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM orchestration_attempt a
     WHERE a.task_id = t.id AND a.status = 'running') running
 CROSS JOIN LATERAL (
    SELECT s.id, row_number() OVER (ORDER BY s.weight DESC, s.position) AS place
      FROM orchestration_subtask s
     WHERE s.task_id = t.id AND s.status = 'waiting' AND s.not_before <= %(now)s
     ORDER BY s.weight DESC, s.position
     LIMIT greatest(least(t.max_concurrent - running.n, %(most)s), 0)) s
 WHERE t.status = 'active' AND t.deadline_at > %(now)s
 ORDER BY s.place, t.id
 LIMIT %(most)s
"""

# How many attempts run, by every scope that may have a limit.
RUNNING = """
SELECT scope, count(*)
  FROM orchestration_attempt a
  JOIN orchestration_task t ON t.id = a.task_id
  JOIN orchestration_subtask s ON s.id = a.sub_task_id
 CROSS JOIN LATERAL (
    SELECT 'all' AS scope
    UNION ALL SELECT 'runner:' || a.runner
    UNION ALL SELECT 'provider:' || coalesce(nullif(a.provider, ''), s.provider)
    UNION ALL SELECT 'centre:' || c FROM unnest(t.centres) c) scopes
 WHERE a.status = 'running'
 GROUP BY scope
"""

# What the attempts of sub-tasks have used, or were lent until that is known.
SPENT = """
SELECT sub_task_id, sum(CASE WHEN finalized_at IS NULL THEN tokens ELSE used_tokens END)::bigint
  FROM orchestration_attempt WHERE sub_task_id = ANY(%(sub_tasks)s)
 GROUP BY sub_task_id
"""

# Shares of these tasks: of all sub-tasks, and what is left of those to come; how many of these
# could begin with it.
PROMISED = """
SELECT s.task_id, sum(s.share)::bigint,
       coalesce(sum(greatest(s.share - coalesce(a.spent, 0), 0)) FILTER (
           WHERE s.status IN ('blocked', 'gated', 'waiting')), 0)::bigint,
       count(*) FILTER (WHERE s.status = 'waiting'
           AND s.share - coalesce(a.spent, 0) >= least(s.share, %(least)s))
  FROM orchestration_subtask s
  LEFT JOIN (SELECT sub_task_id,
                    sum(CASE WHEN finalized_at IS NULL THEN tokens ELSE used_tokens END) AS spent
               FROM orchestration_attempt WHERE task_id = ANY(%(tasks)s)
              GROUP BY sub_task_id) a ON a.sub_task_id = s.id
 WHERE s.task_id = ANY(%(tasks)s)
 GROUP BY s.task_id
"""

# The attempts begin; what is no longer waiting is left alone.
TAKE = """
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(given)s) AS g(
        sub_task bigint, tokens bigint, session_id text, deadline_at timestamptz)
), taken AS (
    UPDATE orchestration_subtask s
       SET status = 'running', attempts_made = attempts_made + 1,
           started_at = coalesce(started_at, %(now)s)
     WHERE s.id IN (SELECT sub_task FROM given) AND s.status = 'waiting'
    RETURNING s.id, s.task_id, s.attempts_made, s.runner
), made AS (
    INSERT INTO orchestration_attempt (
        task_id, sub_task_id, number, session_id, status, runner, tokens, provider, worker, fence,
        leased_until, deadline_at, error_kind, error, facts, used_tokens, cost, created_at)
    SELECT s.task_id, s.id, s.attempts_made, g.session_id, 'running', s.runner, g.tokens, '',
           %(worker)s, 1, %(until)s, g.deadline_at, '', '', '{}', 0, 0, %(now)s
      FROM taken s JOIN given g ON g.sub_task = s.id
    RETURNING id, task_id, tokens
), lent AS (
    UPDATE orchestration_task t SET lent = t.lent + m.tokens
      FROM (SELECT task_id, sum(tokens) AS tokens FROM made GROUP BY task_id) m
     WHERE t.id = m.task_id
)
SELECT id FROM made
"""

# Attempts whose worker is silent get another worker; the silent one's fence is broken.
TAKE_OVER = """
WITH silent AS MATERIALIZED (
    SELECT id, sub_task_id FROM orchestration_attempt
     WHERE status = 'running' AND leased_until <= %(now)s
     ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE orchestration_attempt a
   SET worker = %(worker)s, fence = a.fence + 1, leased_until = %(until)s
  FROM silent WHERE a.id = silent.id
RETURNING a.id
"""
