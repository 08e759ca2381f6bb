"""What somebody with every right in the database could do to what is sealed."""

# ruff: noqa: S608 - the names of tables and columns are Butler's

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from django.db import connection
from django.db import models as fields
from django.db.models import Model

from keys.models import Adjustment, Charge, ChargePartition
from security.audit_chain.merkle import split
from security.audit_chain.models import Seal
from security.audit_chain.sources import all_sources
from security.models import Approval, AuditEntry
from treasury.models import Transfer

SEALED = {
    "audit_entry": AuditEntry,
    "charge": Charge,
    "adjustment": Adjustment,
    "approval": Approval,
    "dropped_charges": ChargePartition,
    "transfer": Transfer,
}

# Two ways to switch triggers off. Constraints are in the way of some changes: they go, too.
_ROLE = "SET LOCAL session_replication_role = replica"
_DISABLE = """
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE security_auditentry DISABLE TRIGGER ALL;
ALTER TABLE keys_charge DISABLE TRIGGER ALL;
ALTER TABLE keys_adjustment DISABLE TRIGGER ALL;
ALTER TABLE keys_chargepartition DISABLE TRIGGER ALL;
ALTER TABLE security_approval DISABLE TRIGGER ALL;
ALTER TABLE security_seal DISABLE TRIGGER ALL;
-- What points to a transfer or an approval is emptied with it.
DO $$ DECLARE one regclass; BEGIN
  FOR one IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relname LIKE 'treasury_%'
  LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', one); END LOOP;
END $$
"""
_DROP_CHECKS = """
DO $$ DECLARE found record; BEGIN
  FOR found IN SELECT conrelid::regclass AS "table", conname FROM pg_constraint
                WHERE contype IN ('c', 'u')
                  AND conrelid::regclass::text LIKE ANY ('{keys_%%,security_%%,treasury_%%}')
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', found.table, found.conname);
  END LOOP;
END $$
"""


def disarm(random: Random) -> None:
    """Switch triggers and checks off, until the transaction is rolled back."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute(_DROP_CHECKS)
    execute(random.choice([_ROLE, _DISABLE]))


def execute(sql: str, *parameters: Any) -> None:
    """Run a statement past all of Butler's code."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


@dataclass
class Victim:
    """A sealed row."""

    slug: str
    model: type[Model]
    pk: int

    @property
    def name(self) -> str:
        """What `verify` calls it."""
        return f"{self.slug} {self.pk} "


def victim(random: Random, *, slug: str | None = None) -> Victim:
    """A row that is sealed in its last state."""
    slug = slug or random.choice(sorted(SEALED))
    return Victim(slug, SEALED[slug], random.choice(_sealed(slug)))


def update_row(random: Random) -> str:
    """Change one column of a row to another value."""
    row = victim(random)
    columns = [column for column in row.model._meta.concrete_fields if not column.primary_key]
    column = random.choice(columns)
    table = row.model._meta.db_table
    execute(f'UPDATE {table} SET "{column.column}" = {_other(column)} WHERE id = %s', row.pk)
    return row.name


def delete_row(random: Random) -> str:
    """Delete a row."""
    row = victim(random)
    execute(f"DELETE FROM {row.model._meta.db_table} WHERE id = %s", row.pk)
    return f"{row.name}is missing"


def insert_row(random: Random) -> str:
    """Add a copy of a row under another id; the next one, or one before all others."""
    row = victim(random)
    table = row.model._meta.db_table
    pk = random.choice([10**9, -1])
    names = [column.column for column in row.model._meta.concrete_fields]
    copied = {"id": str(pk), "idempotency_key": "'forged'", "status": "'settled'"}
    copied |= {"settled_at": "now()"}
    values = ", ".join(copied.get(name, f'"{name}"') for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    execute(f"INSERT INTO {table} ({quoted}) SELECT {values} FROM {table} WHERE id = %s", row.pk)
    return f"{row.slug} {pk} was added"


def swap_rows(random: Random) -> str:
    """Give two rows each other's id."""
    slug = random.choice(["audit_entry", "charge"])
    one, other = random.sample(_sealed(slug), 2)
    table = SEALED[slug]._meta.db_table
    for old, new in ((one, 0), (other, one), (0, other)):
        execute(f"UPDATE {table} SET id = %s WHERE id = %s", new, old)
    return f"{slug} {min(one, other)} was changed"


def truncate_table(random: Random) -> str:
    """Empty a table, with what points to it."""
    row = victim(random)
    execute(f"TRUNCATE {row.model._meta.db_table} CASCADE")
    return " is missing"


def update_seal(random: Random) -> str:
    """Change one column of a seal."""
    seal = _seal(random)
    column = random.choice([each for each in Seal._meta.concrete_fields if not each.primary_key])
    values = {"rows": "rows || 5::bigint", "key_id": "'00000000'", "source": "'adjustment'"}
    value = values.get(column.column) or _other(column)
    if column.column == "source" and seal.source == "adjustment":
        value = "'charge'"
    execute(f'UPDATE security_seal SET "{column.column}" = {value} WHERE number = %s', seal.number)
    return f"Seal {seal.number}"


def reorder_in_seal(random: Random) -> str:
    """Swap two rows of a seal, with their leaves."""
    seal = random.choice([seal for seal in Seal.objects.all() if len(seal.rows) > 1])
    one, other = random.sample(range(len(seal.rows)), 2)
    rows, leaves = list(seal.rows), split(bytes(seal.leaves))
    for swapped in (rows, leaves):
        swapped[one], swapped[other] = swapped[other], swapped[one]
    execute(
        "UPDATE security_seal SET rows = %s, leaves = %s WHERE number = %s",
        rows,
        b"".join(leaves),
        seal.number,
    )
    return f"Seal {seal.number} ({seal.source}"


def swap_seals(random: Random) -> str:
    """Give two seals each other's number."""
    one, other = sorted(random.sample(list(Seal.objects.values_list("number", flat=True)), 2))
    for old, new in ((one, 0), (other, one), (0, other)):
        execute("UPDATE security_seal SET number = %s WHERE number = %s", new, old)
    return f"Seal {one} "


def delete_seal(random: Random) -> str:
    """Delete a seal in the middle, or the last."""
    seal = _seal(random)
    execute("DELETE FROM security_seal WHERE number = %s", seal.number)
    last = seal.size == max(each.size for each in [seal, *Seal.objects.all()])
    return "The last seals are missing" if last else f"Seal {seal.number} is missing"


def truncate_chain(random: Random) -> str:
    """Cut the last seals off with their rows and with the tip. Only a checkpoint knows of them."""
    cut = random.choice(list(Seal.objects.filter(number__gt=1)))
    gone = Seal.objects.filter(number__gte=cut.number)
    for seal in gone:
        table = all_sources()[seal.source].model._meta.db_table
        execute(f"DELETE FROM {table} WHERE id = ANY (%s)", seal.rows)
    execute("DELETE FROM security_seal WHERE number >= %s", cut.number)
    execute("DELETE FROM security_chaintip")
    return "The chain was truncated"


def _sealed(slug: str) -> list[int]:
    return sorted(pk for seal in Seal.objects.filter(source=slug) for pk in seal.rows)


def _seal(random: Random) -> Seal:
    return random.choice(list(Seal.objects.all()))


def _other(column: "fields.Field[Any, Any]") -> str:
    """SQL for a value that the column does not have, as near to it as its type allows."""
    name = f'"{column.column}"'
    kinds: list[tuple[Any, str]] = [
        (fields.BooleanField, f"NOT {name}"),
        (fields.DateTimeField, f"coalesce({name} + interval '1 microsecond', now())"),
        (fields.DateField, f"coalesce({name} + 1, now()::date)"),
        (fields.UUIDField, "gen_random_uuid()"),
        (fields.DecimalField, f"coalesce({name} + 0.000000001, 0)"),
        (fields.BinaryField, f"coalesce({name}, '') || '\\x00'::bytea"),
        (fields.JSONField, f"jsonb_build_object('was', {name})"),
        (fields.IntegerField, f"coalesce({name} + 1, 0)"),
    ]
    target = column.target_field if isinstance(column, fields.ForeignKey) else column
    for kind, other in kinds:
        if isinstance(target, kind):
            return other
    if target.get_internal_type() == "ArrayField":
        return f"{name} || ARRAY['key:forged']"
    # Text, also of a column that is full.
    return f"CASE WHEN {name} = 'x' THEN 'y' ELSE 'x' END"


WAYS: list[Callable[[Random], str]] = [
    update_row,
    delete_row,
    insert_row,
    swap_rows,
    truncate_table,
    update_seal,
    reorder_in_seal,
    swap_seals,
    delete_seal,
    truncate_chain,
]
