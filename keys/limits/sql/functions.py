"""Two rules of the books as functions of the database, so that each stands once.

PostgreSQL writes their bodies into the statements that call them, which costs nothing. A migration
creates them.
"""

# What of (tokens, USD) counts in a window or limit of this unit.
IN_UNIT = """
CREATE OR REPLACE FUNCTION keys_in_unit(unit text, tokens numeric, cost numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE unit WHEN 'tokens' THEN tokens ELSE cost END $$
"""

# What an allocation has committed in the windows of its payers, and in those of its key if it is
# active: all it can still use; once it is closed, what its calls in flight hold. In tokens if it is
# given tokens, in USD if it is given USD.
COMMITTED_BY = """
CREATE OR REPLACE FUNCTION keys_committed_by(
    status text, allocated anyelement, used anyelement, held anyelement) RETURNS anyelement
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE status WHEN 'active' THEN greatest(allocated - used, held) ELSE held END $$
"""

FUNCTIONS = [IN_UNIT, COMMITTED_BY]
DROPPED = [
    "DROP FUNCTION keys_in_unit(text, numeric, numeric)",
    "DROP FUNCTION keys_committed_by(text, anyelement, anyelement, anyelement)",
]
