"""What other apps may read of the books by SQL: a view that `keys` owns; a migration creates it."""

# What each allocation was lent, used and holds now, found by its session. A migration that changes
# one of these columns drops the view first and creates it anew.
ALLOCATION_USAGE = """
CREATE OR REPLACE VIEW keys_allocation_usage AS
SELECT id AS allocation_id, session_id, api_key_id, status, allocated, used, held, used_cost
  FROM keys_allocation
"""
ALLOCATION_USAGE_DROPPED = "DROP VIEW keys_allocation_usage"
