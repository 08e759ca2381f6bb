"""The SQL of freezes: what a hold asks, and which calls a freeze cuts.

`keys_frozen` is the judge. A hold calls it after it has locked its allocation; it joins the freeze
lock and looks with a snapshot of that moment. A freeze takes the lock alone right before it
commits. So a hold that did not see it has committed before it, however long the hold waited.
"""

from typing import NamedTuple

from common.statements import NoRow, Statement

# The lock of freezes, which `keys_frozen` joins.
FREEZE_LOCK = 0x667265657A65

# What NOTIFY tells every process that serves calls.
CHANNEL = "keys_freezes"

# Tell every process, and wait for the holds that may not have seen the freeze. The last statement
# of its transaction: nothing else waits long for it.
ANNOUNCE = Statement(
    """
    SELECT pg_notify(%(channel)s, ''), pg_advisory_xact_lock(%(freeze_lock)s)
    """,
    NoRow,
)


class CutCharge(NamedTuple):
    """A call that runs and that a freeze ends."""

    charge: int
    scope: str


# Which of these calls a freeze ends.
CUT_CHARGES = Statement(
    """
    SELECT c.id AS charge, min(f.scope) AS scope
      FROM ONLY keys_charge c
      JOIN keys_allocation a ON a.id = c.allocation_id
      JOIN keys_freeze f ON f.thawed_at IS NULL AND f.mode = 'cut'
           AND f.scope = ANY(keys_freeze_scopes(a.payers, a.agent_id, c.api_key_id))
     WHERE c.id = ANY(%(charges)s) AND c.status = 'held'
       AND EXISTS (SELECT FROM keys_freeze WHERE thawed_at IS NULL AND mode = 'cut')
     GROUP BY c.id
    """,
    CutCharge,
)


class FrozenScope(NamedTuple):
    """A scope that nothing can be held for."""

    scope: str


# The scopes of payers for which nothing can start: those that are frozen, and the agents that are
# now in a frozen cost centre.
FROZEN_PAYERS = Statement(
    """
    SELECT scope FROM keys_freeze
     WHERE thawed_at IS NULL AND scope NOT LIKE 'key:%%' AND scope NOT LIKE 'provider:%%'
     UNION
    SELECT 'agent:' || a.slug
      FROM keys_freeze f
      JOIN keys_costcentre c ON 'centre:' || c.slug = f.scope
      JOIN keys_costcentre below ON below.path @> ARRAY[c.slug]
      JOIN keys_agent a ON a.cost_centre_id = below.slug
     WHERE f.thawed_at IS NULL
    """,
    FrozenScope,
)
