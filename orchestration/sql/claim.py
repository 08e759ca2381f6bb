"""Which sub-tasks are begun next, and which attempts nobody looks after."""

from typing import NamedTuple

from common.statements import NoRow, Statement
from orchestration.sql.rows import AttemptRow


class Candidate(NamedTuple):
    """A sub-task that could begin."""

    sub_task_id: int
    task_id: int


class RunningInScope(NamedTuple):
    """How many attempts run in a scope: `all`, `runner:…`, `provider:…` or `centre:…`."""

    scope: str
    attempts: int


class SpentTokens(NamedTuple):
    """Tokens that the attempts of a sub-task have used, or were lent until that is known."""

    sub_task_id: int
    tokens: int


class PromisedTokens(NamedTuple):
    """Shares of the sub-tasks of a task.

    `shares`: of all; `promised`: what is left of the shares of those to come; `payable`: how many
    waiting sub-tasks could begin with what is left of their own.
    """

    task_id: int
    shares: int
    promised: int
    payable: int


# One at a time gives places, so what is counted of running attempts can only become less meanwhile.
GIVE_PLACES = Statement("SELECT pg_advisory_xact_lock(0x776f726b)", NoRow)

# Waiting sub-tasks that their own task has a place for: the heaviest first within a task, and one
# of each task before the second of any.
CANDIDATES = Statement(
    """
    SELECT s.id AS sub_task_id, t.id AS task_id
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
    """,
    Candidate,
)

# How many attempts run, by every scope that may have a limit.
RUNNING = Statement(
    """
    SELECT scope, count(*) AS attempts
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
    """,
    RunningInScope,
)

# What the attempts of sub-tasks have used, or were lent until that is known.
SPENT = Statement(
    """
    SELECT sub_task_id,
           sum(CASE WHEN finalized_at IS NULL THEN tokens ELSE used_tokens END)::bigint AS tokens
      FROM orchestration_attempt WHERE sub_task_id = ANY(%(sub_tasks)s)
     GROUP BY sub_task_id
    """,
    SpentTokens,
)

# Shares of these tasks: of all sub-tasks, and what is left of those to come; how many of these
# could begin with it.
PROMISED = Statement(
    """
    SELECT s.task_id, sum(s.share)::bigint AS shares,
           coalesce(sum(greatest(s.share - coalesce(a.spent, 0), 0)) FILTER (
               WHERE s.status IN ('blocked', 'gated', 'waiting')), 0)::bigint AS promised,
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

# The attempts begin; what is no longer waiting is left alone.
TAKE = Statement(
    """
    -- The sub-tasks that were chosen, and what each is lent.
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(given)s) AS g(
            sub_task bigint, tokens bigint, session_id text, deadline_at timestamptz)
    ),
    -- Those of them that still wait; they run from now on.
    taken AS (
        UPDATE orchestration_subtask s
           SET status = 'running', attempts_made = attempts_made + 1,
               started_at = coalesce(started_at, %(now)s)
         WHERE s.id IN (SELECT sub_task FROM given) AND s.status = 'waiting'
        RETURNING s.id, s.task_id, s.attempts_made, s.runner
    ),
    -- An attempt of each.
    made AS (
        INSERT INTO orchestration_attempt (
            task_id, sub_task_id, number, session_id, status, runner, tokens, provider, worker,
            fence, leased_until, deadline_at, error_kind, error, facts, used_tokens, cost,
            created_at)
        SELECT s.task_id, s.id, s.attempts_made, g.session_id, 'running', s.runner, g.tokens, '',
               %(worker)s, 1, %(until)s, g.deadline_at, '', '', '{}', 0, 0, %(now)s
          FROM taken s JOIN given g ON g.sub_task = s.id
        RETURNING id, task_id, tokens
    ),
    -- Their tokens, lent by their tasks.
    lent AS (
        UPDATE orchestration_task t SET lent = t.lent + m.tokens
          FROM (SELECT task_id, sum(tokens) AS tokens FROM made GROUP BY task_id) m
         WHERE t.id = m.task_id
    )
    SELECT id AS attempt_id FROM made
    """,
    AttemptRow,
)

# Attempts whose worker is silent get another worker; the silent one's fence is broken.
TAKE_OVER = Statement(
    """
    -- Attempts whose lease is over; what another worker takes over now is passed by.
    WITH silent AS MATERIALIZED (
        SELECT id, sub_task_id FROM orchestration_attempt
         WHERE status = 'running' AND leased_until <= %(now)s
         ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )
    UPDATE orchestration_attempt a
       SET worker = %(worker)s, fence = a.fence + 1, leased_until = %(until)s
      FROM silent WHERE a.id = silent.id
    RETURNING a.id AS attempt_id
    """,
    AttemptRow,
)
