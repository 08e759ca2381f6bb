"""The SQL of partitions of charges: find what is final, and make, fill and bound their tables.

Table names and bounds cannot be parameters of these statements: `psycopg.sql` puts them in.
"""

from datetime import datetime
from typing import NamedTuple

from psycopg.sql import SQL

from common.statements import NoRow, Statement

# What can no longer change: released charges, and settled ones that no late settlement may correct.
FINAL = "(status = 'released' OR status = 'settled' AND hold_expired_at IS NULL)"


# The time from which every settled charge is there: the last settlement of those that were deleted.
COUNTED_FROM = """
    (SELECT coalesce(max(settled_until), '-infinity') FROM keys_chargepartition
      WHERE dropped_at IS NOT NULL)
"""


class ScannedCharge(NamedTuple):
    """A final charge that is not in a partition, and when its allocation was lent and closed."""

    id: int
    allocation_id: int
    created_at: datetime
    lent_at: datetime
    closed_at: datetime | None


# The next final charges, in the order of their ids.
SCAN = Statement(
    f"""
    SELECT c.id, c.allocation_id, c.created_at, a.created_at AS lent_at, a.closed_at
      FROM (SELECT id, allocation_id, created_at FROM ONLY keys_charge
             WHERE id > %(after_charge)s AND {FINAL} ORDER BY id LIMIT %(most)s) c
      JOIN keys_allocation a ON a.id = c.allocation_id
     ORDER BY c.id
    """,  # noqa: S608 - a constant
    ScannedCharge,
)


# Lock allocations in the order of locks: then nothing settles or adjusts their charges.
LOCK_CLOSED = Statement(
    """
    SELECT FROM keys_allocation WHERE id = ANY(%(allocations)s) ORDER BY id FOR NO KEY UPDATE
    """,
    NoRow,
)

# The indexes of the table come along. Its rows never change, and come only from `keys_charge`:
# what leaves that table must be here, and what comes here must be there.
CREATE = SQL(
    """
    CREATE TABLE {table} (LIKE keys_charge INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING STORAGE)
        INHERITS (keys_charge);
    CREATE TRIGGER rows_are_final BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION keys_refuse_change_of_partition();
    CREATE TRIGGER rows_come_from_the_table AFTER INSERT ON {table}
        REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION keys_check_rows_of_partition();
    """
)

COPY_ROWS = SQL(
    f"INSERT INTO {{table}} SELECT * FROM ONLY keys_charge WHERE id = ANY(%(charges)s) AND {FINAL}"  # noqa: S608 - a constant
)
DELETE_ROWS = SQL("DELETE FROM ONLY keys_charge WHERE id = ANY(%(charges)s)")

# What a month's table has, to be kept when it is complete.
CONTENTS = SQL(
    """
    SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(cost), 0), min(settled_at),
           max(settled_at), min(id), max(id), min(allocation_id), max(allocation_id)
      FROM ONLY {table}
    """
)

# Bounds with which the planner leaves a table out: what is not settled fulfils the third, too.
BOUND = SQL(
    """
    ALTER TABLE {table}
        ADD CONSTRAINT id_of_month CHECK (id BETWEEN {first_id} AND {last_id}) NOT VALID,
        ADD CONSTRAINT allocation_of_month
            CHECK (allocation_id BETWEEN {first_allocation} AND {last_allocation}) NOT VALID,
        ADD CONSTRAINT settled_of_month
            CHECK (settled_at BETWEEN {settled_from} AND {settled_until}) NOT VALID
    """
)
VALIDATE = SQL(
    """
    ALTER TABLE {table} VALIDATE CONSTRAINT id_of_month,
        VALIDATE CONSTRAINT allocation_of_month, VALIDATE CONSTRAINT settled_of_month
    """
)


# The ids of a month's charges, as text that `int8multirange` reads.
ROW_IDS = SQL("SELECT range_agg(int8range(id, id, '[]'))::text FROM ONLY {table}")
DROP = SQL("DROP TABLE {table}")


class DroppedCharge(NamedTuple):
    """A charge that retention deleted."""

    id: int


# Which of these charges retention deleted. If somebody has changed the text so that it is no
# multirange, it names none, and those who verify the row find that.
DROPPED = Statement(
    r"""
    WITH dropped AS MATERIALIZED (
        SELECT CASE WHEN row_ids ~ '^{(\[\d{1,18},\d{1,18}\),?)+}$'
                    THEN row_ids::int8multirange END AS ids
          FROM keys_chargepartition WHERE dropped_at IS NOT NULL
    )
    SELECT c.id FROM unnest(%(charges)s::bigint[]) AS c(id)
     WHERE EXISTS (SELECT FROM dropped d WHERE d.ids @> c.id)
    """,
    DroppedCharge,
)


class OpenAllocations(NamedTuple):
    """Whether allocations of a month may still get charges, or have final ones to move."""

    is_open: bool


# Whether anything lent in a month may still come into its partition. Charges that stay in the table
# as they are not final (expired, or an estimate) do not keep it open for ever.
IS_OPEN = Statement(
    f"""
    SELECT EXISTS (
        SELECT FROM keys_allocation
         WHERE created_at >= %(starts_at)s AND created_at < %(ends_at)s
           AND (closed_at IS NULL OR closed_at >= %(closed_before)s)
    ) OR EXISTS (
        SELECT FROM ONLY keys_charge c JOIN keys_allocation a ON a.id = c.allocation_id
         WHERE a.created_at >= %(starts_at)s AND a.created_at < %(ends_at)s
           AND {FINAL.replace("status", "c.status")}
    ) AS is_open
    """,  # noqa: S608 - constants
    OpenAllocations,
)
