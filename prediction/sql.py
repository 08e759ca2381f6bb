"""The statement that keeps a forecast, before its budget is lent."""

from typing import NamedTuple

from common.statements import Statement


class StoredForecast(NamedTuple):
    """The session whose forecast was stored; no row if the idempotency key has one already."""

    session_id: str


# One round trip, and no wait for the disk: the budget that is lent next is committed later in the
# same log, and waits.
STORE_FORECAST = Statement(
    """
    WITH quick AS (SELECT set_config('synchronous_commit', 'off', true) AS value),
    sketch AS (
        INSERT INTO prediction_storedsketch (digest, data, created_at)
        VALUES (%(text_digest)s, %(sketch)s, %(now)s) ON CONFLICT DO NOTHING
    )
    INSERT INTO prediction_forecast (session_id, agent, idempotency_key, text_digest, model, kind,
        rule_tokens, version_id, basis, p50, p90, p99, tokens, probe, created_at)
    SELECT %(session_id)s, %(agent)s, %(idempotency_key)s, %(text_digest)s, %(model)s, %(kind)s,
           %(rule_tokens)s, %(version_id)s::bigint, %(basis)s, %(p50)s::bigint, %(p90)s::bigint,
           %(p99)s::bigint, %(tokens)s, %(probe)s, %(now)s
      FROM quick
        ON CONFLICT DO NOTHING
    RETURNING session_id
    """,
    StoredForecast,
)
