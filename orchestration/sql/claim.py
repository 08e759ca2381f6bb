"""Statements that start sub-tasks, and that take over the attempts of lost workers."""

from typing import NamedTuple

from common.statements import NoRow, Statement
from orchestration.sql.rows import AttemptRow


class Candidate(NamedTuple):
    """A sub-task that may start now."""

    sub_task_id: int
    task_id: int


class RunningInScope(NamedTuple):
    """The number of running attempts in a scope: `all`, `agent:…`, `runner:…`, `provider:…` or
    `centre:…`."""

    scope: str
    attempts: int


class SpentTokens(NamedTuple):
    """The tokens of all attempts of a sub-task: used ones, or lent ones until the use is final."""

    sub_task_id: int
    tokens: int


class PromisedTokens(NamedTuple):
    """Tokens that a task has promised to its sub-tasks.

    `shares`: the shares of all sub-tasks; `promised`: what is left of the shares of those that have
    not ended; `payable`: how many waiting sub-tasks can start with the rest of their own share.
    """

    task_id: int
    shares: int
    promised: int
    payable: int


# Only one transaction at a time starts attempts, so none can start after they were counted.
CLAIM_LOCK = Statement("SELECT pg_advisory_xact_lock(0x776f726b)", NoRow)

# Waiting sub-tasks within `max_concurrent` of their task, without those in a scope that is `full`.
# Each place is for the agent that would then have the fewest running attempts. Of an agent: tasks
# of a higher priority first, of these one of each task before the second one of any task, and the
# heaviest first within a task.
CANDIDATES = Statement(
    """
    -- The attempts that are running now, by task.
    WITH running AS MATERIALIZED (
        SELECT t.id AS task_id, t.agent_id, count(*) AS n
          FROM orchestration_attempt a JOIN orchestration_task t ON t.id = a.task_id
         WHERE a.status = 'running'
         GROUP BY t.id
    ),
    -- What may start of each task, in its order.
    startable AS (
        SELECT s.id AS sub_task_id, t.id AS task_id, t.agent_id, s.place,
               array_position(ARRAY['critical', 'high', 'medium', 'low'], t.priority::text) AS rank
          FROM orchestration_task t
          LEFT JOIN running r ON r.task_id = t.id
         CROSS JOIN LATERAL (
            SELECT s.id, row_number() OVER (ORDER BY s.weight DESC, s.position) AS place
              FROM orchestration_subtask s
             WHERE s.task_id = t.id AND s.status = 'waiting' AND s.not_before <= %(now)s
               AND NOT ARRAY['runner:' || s.runner, 'provider:' || s.provider] && %(full)s
             ORDER BY s.weight DESC, s.position
             LIMIT greatest(least(t.max_concurrent - coalesce(r.n, 0), %(most)s), 0)) s
         WHERE t.status = 'active' AND t.deadline_at > %(now)s
           AND NOT ARRAY['all', 'agent:' || t.agent_id] && %(full)s
           AND NOT EXISTS (
                SELECT FROM unnest(t.centres) c WHERE 'centre:' || c = ANY(%(full)s))
    ),
    -- What may start of each agent, in its order, counted from what it has running.
    counted AS (
        SELECT s.sub_task_id, s.task_id,
               row_number() OVER (PARTITION BY s.agent_id ORDER BY s.rank, s.place, s.task_id)
                   + coalesce(r.n, 0) AS place
          FROM startable s
          LEFT JOIN (SELECT agent_id, sum(n) AS n FROM running GROUP BY agent_id) r
            ON r.agent_id = s.agent_id
    )
    SELECT sub_task_id, task_id FROM counted
     ORDER BY place, task_id
     LIMIT %(most)s
    """,
    Candidate,
)

# The number of running attempts by scope, for every scope that may have a limit.
RUNNING_BY_SCOPE = Statement(
    """
    SELECT scope, count(*) AS attempts
      FROM orchestration_attempt a
      JOIN orchestration_task t ON t.id = a.task_id
      JOIN orchestration_subtask s ON s.id = a.sub_task_id
     CROSS JOIN LATERAL (
        SELECT 'all' AS scope
        UNION ALL SELECT 'agent:' || t.agent_id
        UNION ALL SELECT 'runner:' || a.runner
        UNION ALL SELECT 'provider:' || coalesce(nullif(a.provider, ''), s.provider)
        UNION ALL SELECT 'centre:' || c FROM unnest(t.centres) c) scopes
     WHERE a.status = 'running'
     GROUP BY scope
    """,
    RunningInScope,
)

# The tokens of all attempts by sub-task: used ones, or lent ones until the use is final.
SPENT_TOKENS = Statement(
    """
    SELECT sub_task_id,
           sum(CASE WHEN finalized_at IS NULL THEN tokens ELSE used_tokens END)::bigint AS tokens
      FROM orchestration_attempt WHERE sub_task_id = ANY(%(sub_tasks)s)
     GROUP BY sub_task_id
    """,
    SpentTokens,
)

# By task: the shares of all sub-tasks, what is left of the shares of those that have not ended,
# and how many of these can start with it.
PROMISED_TOKENS = Statement(
    """
    SELECT s.task_id, sum(s.share)::bigint AS shares,
           coalesce(sum(greatest(s.share - coalesce(a.spent, 0), 0)) FILTER (
               WHERE s.status IN ('blocked', 'gated', 'waiting', 'running')), 0)::bigint
               AS promised,
           count(*) FILTER (WHERE s.status = 'waiting'
               AND s.share - coalesce(a.spent, 0) >= least(s.share, %(least)s)) AS payable
      FROM orchestration_subtask s
      LEFT JOIN (SELECT sub_task_id,
                        sum(CASE WHEN finalized_at IS NULL THEN tokens ELSE used_tokens END)
                            AS spent
                   FROM orchestration_attempt WHERE task_id = ANY(%(tasks)s)
                  GROUP BY sub_task_id) a ON a.sub_task_id = s.id
     WHERE s.task_id = ANY(%(tasks)s)
     GROUP BY s.task_id
    """,
    PromisedTokens,
)

# Start an attempt of each chosen sub-task that is still waiting.
START_ATTEMPTS = Statement(
    """
    -- The chosen sub-tasks, and the tokens that each is lent.
    WITH chosen AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(starts)s) AS c(
            sub_task bigint, tokens bigint, session_id text, deadline_at timestamptz)
    ),
    -- Those that are still waiting are running from now on.
    started AS (
        UPDATE orchestration_subtask s
           SET status = 'running', attempts_made = attempts_made + 1,
               started_at = coalesce(started_at, %(now)s),
               -- What it waited for is over; why an earlier attempt failed is not.
               error = CASE WHEN error_kind = ANY(%(waits)s) THEN '' ELSE error END,
               error_kind = CASE WHEN error_kind = ANY(%(waits)s) THEN '' ELSE error_kind END
         WHERE s.id IN (SELECT sub_task FROM chosen) AND s.status = 'waiting'
        RETURNING s.id, s.task_id, s.attempts_made, s.runner
    ),
    -- One attempt of each started sub-task.
    attempts AS (
        INSERT INTO orchestration_attempt (
            task_id, sub_task_id, number, session_id, status, runner, tokens, provider, worker,
            fence, leased_until, deadline_at, error_kind, error, facts, used_tokens, cost,
            created_at)
        SELECT s.task_id, s.id, s.attempts_made, c.session_id, 'running', s.runner, c.tokens, '',
               %(worker)s, 1, %(until)s, c.deadline_at, '', '', '{}', 0, 0, %(now)s
          FROM started s JOIN chosen c ON c.sub_task = s.id
        RETURNING id, task_id, tokens
    ),
    -- The tasks lend the tokens.
    lent AS (
        UPDATE orchestration_task t SET lent = t.lent + a.tokens
          FROM (SELECT task_id, sum(tokens) AS tokens FROM attempts GROUP BY task_id) a
         WHERE t.id = a.task_id
    )
    SELECT id AS attempt_id FROM attempts
    """,
    AttemptRow,
)

# Assign attempts with an expired lease to another worker; the higher fence excludes the earlier.
TAKE_OVER = Statement(
    """
    -- Attempts whose lease has expired, except those that another worker is taking over now.
    WITH expired AS MATERIALIZED (
        SELECT id, sub_task_id FROM orchestration_attempt
         WHERE status = 'running' AND leased_until <= %(now)s
         ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )
    UPDATE orchestration_attempt a
       SET worker = %(worker)s, fence = a.fence + 1, leased_until = %(until)s
      FROM expired e WHERE a.id = e.id
    RETURNING a.id AS attempt_id
    """,
    AttemptRow,
)
