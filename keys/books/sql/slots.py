"""Take a slot for an allocation."""

from common.statements import NoRow, Statement

# Serialises requests of one allocation, so that the next statement sees the slot it already has.
LOCK_ALLOCATION = Statement(
    "SELECT FROM keys_allocation WHERE id = %(allocation)s FOR NO KEY UPDATE", NoRow
)

# An allocation with a slot keeps it; another gets the slot that has been free for longest, if any.
TAKE_SLOT = Statement(
    """
    -- The slot that was free for longest, locked; none if the allocation has one.
    WITH free AS (
        SELECT slug FROM keys_slot
         WHERE runner = %(runner)s AND allocation_id IS NULL
           AND NOT EXISTS (SELECT FROM keys_slot WHERE allocation_id = %(allocation)s)
         ORDER BY freed_at NULLS FIRST, slug LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE keys_slot s
       SET allocation_id = %(allocation)s, taken_at = %(now)s, refusal_code = '', refusal = ''
      FROM free WHERE s.slug = free.slug
    """,
    NoRow,
)
