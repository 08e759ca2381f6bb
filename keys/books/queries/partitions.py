"""The partitions of charges: what they take on disk."""

from django.db import connection


def partition_sizes() -> dict[str, int]:
    """The bytes of each partition with its indexes, by the name of its table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'keys_charge'::regclass"
        )
        return dict(cursor.fetchall())
