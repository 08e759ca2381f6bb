"""The statements that keep a forecast: with the allocation that it sized, or by itself."""

from typing import NamedTuple

from common.statements import NoRow, Statement
from keys import services as keys

_COLUMNS = """
    text_digest, model, kind, rule_tokens, version_id, basis, p50, p90, p99, probe, session_id,
    agent, tokens, created_at
"""
_VALUES = """
    %(text_digest)s, %(model)s, %(kind)s, %(rule_tokens)s, %(version_id)s::bigint, %(basis)s,
    %(p50)s::bigint, %(p90)s::bigint, %(p99)s::bigint, %(probe)s
"""
# What is lent for a text, with its forecast, in one statement: a transaction of its own would cost
# more than the forecast.
ALLOCATE_BY_FORECAST: Statement[NamedTuple] = keys.allocate_and(
    f"""
    sketch AS (
        INSERT INTO prediction_storedsketch (digest, data, created_at)
        SELECT %(text_digest)s, %(sketch)s, created_at FROM made
            ON CONFLICT DO NOTHING
    ),
    forecast AS (
        INSERT INTO prediction_forecast ({_COLUMNS})
        SELECT {_VALUES}, session_id, agent_id, allocated, created_at FROM made
            ON CONFLICT DO NOTHING
    )
    """  # noqa: S608 - names of columns
)
# Of a budget that is sized by other reasons. It does not wait for the disk: the budget that is lent
# next is committed later in the same log, and waits.
STORE_FORECAST = Statement(
    f"""
    WITH quick AS (SELECT set_config('synchronous_commit', 'off', true) AS value),
    sketch AS (
        INSERT INTO prediction_storedsketch (digest, data, created_at)
        VALUES (%(text_digest)s, %(sketch)s, %(now)s) ON CONFLICT DO NOTHING
    )
    INSERT INTO prediction_forecast ({_COLUMNS})
    SELECT {_VALUES}, %(session_id)s, %(agent)s, %(tokens)s, %(now)s
      FROM quick
        ON CONFLICT DO NOTHING
    """,  # noqa: S608 - names of columns
    NoRow,
)
