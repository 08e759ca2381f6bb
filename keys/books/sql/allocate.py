"""Allocate: commit an allocation in all windows or in none."""

from collections import namedtuple
from datetime import datetime
from typing import NamedTuple

from common.statements import Statement, model_row
from keys.limits.sql import granted
from keys.models import Allocation


class Verdict(NamedTuple):
    """Whether an allocation was written, and when.

    `current`: the windows contain the moment `at`. `fits`: they have room, and the agent and the
    cost centre are open and where they were read. If either is false, nothing was written.
    """

    at: datetime
    current: bool
    fits: bool
    audit_entry_id: int | None


AllocationRow = model_row(Allocation, without=["asked"])
_COLUMNS = ", ".join(AllocationRow._fields)
_MADE = ", ".join(f"m.{column}" for column in AllocationRow._fields)
# The type checker does not support a named tuple whose fields are computed.
_LentRow: type[NamedTuple] = namedtuple(  # type: ignore[misc]
    "_LentRow", [*Verdict._fields, *AllocationRow._fields]
)


def split_lent_row(row: NamedTuple) -> tuple[Verdict, NamedTuple]:
    """A row of ALLOCATE: the verdict, and the allocation's columns (None if it was not written)."""
    count = len(Verdict._fields)
    return Verdict._make(row[:count]), AllocationRow._make(row[count:])


_WRITTEN = f"""
    -- The open windows of all who pay, locked.
    WITH locked AS MATERIALIZED (
        SELECT id, limit_id, unit, used, committed, amount, starts_at, ends_at
          FROM keys_window
         WHERE scope = ANY(%(scopes)s) AND closed_at IS NULL
         ORDER BY id
           FOR NO KEY UPDATE
    ),
    -- The moment of the allocation: another process may have opened a window ahead of our clock.
    moment AS (
        SELECT greatest(%(created_at)s, max(starts_at)) AS at FROM locked
    ),
    -- Whether the agent and the cost centre are where they were read, and the latter is open. Who
    -- moves or closes them waits for the lock of the books, so this holds until the commit.
    place AS (
        SELECT EXISTS (
            SELECT FROM keys_agent g, keys_costcentre c
             WHERE g.slug = %(agent_id)s AND g.cost_centre_id = %(own_centre)s
               AND c.slug = %(cost_centre_id)s AND c.path = %(path)s::varchar[]
               AND c.closed_at IS NULL) AS is_known
    ),
    -- Whether the windows are of that moment, and all have room.
    verdict AS (
        SELECT min(m.at) AS at,
               coalesce(bool_and(m.at < l.ends_at), true) AS current,
               -- Nothing fits everywhere: a free key under a USD limit that is overdrawn. Grants
               -- are looked up only where the amount alone does not suffice.
               coalesce(bool_and(
                   l.unit = 'usd' AND %(allocated_cost)s = 0
                   OR l.used + l.committed
                          + keys_in_unit(l.unit, %(allocated)s, %(allocated_cost)s)
                      <= l.amount
                   OR l.used + l.committed
                          + keys_in_unit(l.unit, %(allocated)s, %(allocated_cost)s)
                      <= l.amount + ({granted("l", at="m.at")})), true)
               AND bool_and(p.is_known) AS fits
          FROM moment m CROSS JOIN place p LEFT JOIN locked l ON true
    ),
    -- Committed in every window.
    committed AS (
        UPDATE keys_window w
           SET committed = w.committed
                   + keys_in_unit(w.unit, %(allocated)s, %(allocated_cost)s)
          FROM locked l, verdict v
         WHERE w.id = l.id AND v.current AND v.fits
    ),
    -- The allocation.
    made AS (
        INSERT INTO keys_allocation (
            session_id, agent_id, cost_centre_id, api_key_id, price_id, payers, status,
            status_reason, allocated, used, held, allocated_cost, used_cost, held_cost,
            token_cost_max, overrun, rotation_threshold, auto_rotate, wire_format, refusal_status,
            named_models, model_mismatch, provider_expanded, label, idempotency_key, asked,
            created_at, expires_at)
        SELECT %(session_id)s, %(agent_id)s, %(cost_centre_id)s, %(api_key_id)s, %(price_id)s,
               %(payers)s, 'active', '', %(allocated)s, 0, 0, %(allocated_cost)s, 0, 0,
               %(token_cost_max)s, false, %(rotation_threshold)s, %(auto_rotate)s, %(wire_format)s,
               %(refusal_status)s, %(named_models)s::text[], %(model_mismatch)s,
               %(provider_expanded)s, %(label)s, %(idempotency_key)s, %(asked)s, %(created_at)s,
               %(expires_at)s
          FROM verdict v
         WHERE v.current AND v.fits
        RETURNING {_COLUMNS}
    ),
    -- Why it got its key.
    decided AS (
        INSERT INTO keys_decision (allocation_id, verdicts) SELECT id, %(verdicts)s FROM made
    ),
    -- Its entry in the audit.
    audited AS (
        SELECT id,
               security_audit(
                   at => %(created_at)s,
                   actor_name => %(actor_name)s,
                   actor_kind => %(actor_kind)s,
                   address => %(address)s,
                   request_id => %(request_id)s,
                   action => 'allocation.create',
                   subjects => ARRAY[
                       'session:' || %(session_id)s, 'agent:' || %(agent_id)s,
                       'key:' || %(api_key_id)s],
                   after => %(after)s
               ) AS audit_entry_id
          FROM made
    )
"""  # noqa: S608 - names of columns
_ANSWER = f"""
    SELECT v.at, v.current, v.fits, a.audit_entry_id, {_MADE}
      FROM verdict v LEFT JOIN made m ON true LEFT JOIN audited a ON true
"""  # noqa: S608 - names of columns
# One allocation, committed in all its windows or in none, with its decision and its audit entry.
ALLOCATE = Statement(_WRITTEN + _ANSWER, _LentRow)


def allocate_and(parts: str) -> Statement[NamedTuple]:
    """ALLOCATE with further parts of its WITH clause, which write beside it: they read the new
    allocation as `made`, which has no row if nothing was lent."""
    return Statement(f"{_WRITTEN}, {parts} {_ANSWER}", _LentRow)
