"""Who may look and who may write: the shared books and the order of locks."""

# Take a share of the books. A statement of its own: the next one's snapshot then has every limit
# and window that was made while this one waited.
JOIN = "SELECT pg_advisory_xact_lock_shared(%(books_lock)s)"


# Lock the allocations, then the open windows that they and `scopes` stand under. The count is there
# so that the allocations are locked where there is no window at all. `later`: when the newest
# window begins, if another process opened it a moment ahead of our clock.
LOCK = """
WITH locked AS MATERIALIZED (
    SELECT a.api_key_id, a.payers FROM keys_allocation a
     WHERE a.id = ANY(%(allocations)s) ORDER BY a.id FOR NO KEY UPDATE OF a
), scopes AS MATERIALIZED (
    SELECT 'key:' || api_key_id AS scope FROM locked
    UNION SELECT unnest(payers) FROM locked
    UNION SELECT unnest(%(scopes)s::text[])
), windows AS MATERIALIZED (
    SELECT * FROM keys_window
     WHERE scope IN (SELECT scope FROM scopes) AND closed_at IS NULL
     ORDER BY id FOR NO KEY UPDATE
)
SELECT w.id, w.scope, w.unit, w.amount, w.used, w.committed,
       w.ends_at <= greatest(%(now)s, max(w.starts_at) OVER ()) AS over,
       nullif(greatest(%(now)s, max(w.starts_at) OVER ()), %(now)s) AS later
  FROM (SELECT count(*) FROM locked) n LEFT JOIN windows w ON true
"""
