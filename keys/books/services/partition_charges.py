"""Move charges that can no longer change to the partition of the month they were lent for."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.sql import SQL, Composable, Identifier, Literal

from common.statements import fetch, fetch_unprepared
from keys.books import sql
from keys.books.sql import partitions
from keys.models import ChargePartition

# A late answer or report comes long before an allocation is closed for so long.
PARTITIONED_AFTER = timedelta(days=35)
# For how long one run moves charges.
PARTITION_TIME = timedelta(minutes=20)
_AT_ONCE = 5_000
# Readers keep a table locked while they read. Rather than letting others queue behind it, try again
# at the next run.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"


def partition_charges(*, now: datetime, until: datetime | None = None) -> int:
    """Move the final charges of allocations that closed more than 35 days before `now`.

    Each transaction moves some thousands, so it may be killed at any moment; what is left comes
    next time. `until`: the moment, by the clock of this machine, at which it stops. Returns how
    many charges were moved.
    """
    closed_before = now - PARTITIONED_AFTER
    moved, after = 0, 0
    while until is None or datetime.now(UTC) < until:
        page = fetch(sql.SCAN, after_charge=after, most=_AT_ONCE)
        # Charges are made in the order of their ids, but for what ran at the same time.
        if not page or min(charge.created_at for charge in page) >= closed_before:
            break
        after = page[-1].id
        moved += _move(page, closed_before=closed_before, now=now)
    return moved


def _move(page: list[partitions.ScannedCharge], *, closed_before: datetime, now: datetime) -> int:
    """Move those of the charges whose allocations closed before; how many."""
    by_month: dict[date, list[partitions.ScannedCharge]] = defaultdict(list)
    for charge in page:
        # A closed allocation stays closed.
        if charge.closed_at and charge.closed_at < closed_before:
            by_month[_month_of(charge.lent_at)].append(charge)
    moved = 0
    for month, charges in sorted(by_month.items()):
        _create_partition(month, now=now)
        moved += _move_to(month, charges)
    return moved


@transaction.atomic(durable=True)
def _create_partition(month: date, *, now: datetime) -> None:
    if ChargePartition.objects.filter(month=month).exists():
        return
    partition, is_new = ChargePartition.objects.get_or_create(
        month=month, defaults={"created_at": now}
    )
    if is_new:
        with connection.cursor() as cursor:
            cursor.execute(LOCK_TIMEOUT)
        _execute(partitions.CREATE, partition)


@transaction.atomic(durable=True)
def _move_to(month: date, charges: list[partitions.ScannedCharge]) -> int:
    partition = ChargePartition.objects.select_for_update(no_key=True).get(month=month)
    # What became final after its month was complete stays in the table.
    if partition.completed_at is not None:
        return 0
    fetch(sql.LOCK_CLOSED, allocations=sorted({charge.allocation_id for charge in charges}))
    ids = [charge.id for charge in charges]
    moved = _execute(partitions.COPY_ROWS, partition, charges=ids)
    # Its trigger refuses to delete a row that was not copied as it is.
    _execute(partitions.DELETE_ROWS, partition, charges=ids)
    return moved


def complete_partitions(*, now: datetime) -> int:
    """Close the partitions to which nothing can come any more, and give each the bounds with which
    queries pass it over; returns how many."""
    filling = ChargePartition.objects.filter(completed_at=None).order_by("month")
    return sum(_complete(partition, now=now) for partition in filling)


def _complete(partition: ChargePartition, *, now: datetime) -> bool:
    (open_yet,) = fetch_unprepared(
        sql.IS_OPEN,
        starts_at=partition.starts_at,
        ends_at=partition.ends_at,
        closed_before=now - PARTITIONED_AFTER,
    )
    if open_yet.is_open:
        return False
    try:
        _bound(partition, now=now)
    except OperationalError:
        # The lock of the table was not to be had in time.
        return False
    _validate(partition)
    return True


@transaction.atomic(durable=True)
def _bound(partition: ChargePartition, *, now: datetime) -> None:
    partition = ChargePartition.objects.select_for_update(no_key=True).get(pk=partition.pk)
    if partition.completed_at is not None:
        return
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TIMEOUT)
        cursor.execute(composed(partitions.CONTENTS, partition))
        charges, tokens, cost, settled_from, settled_until, *ids = cursor.fetchone()
        names = ("first_id", "last_id", "first_allocation", "last_allocation")
        bounds = {
            **dict(zip(names, ids, strict=True)),
            "settled_from": settled_from,
            "settled_until": settled_until,
        }
        cursor.execute(composed(partitions.BOUND, partition, **bounds))
    partition.charges, partition.tokens, partition.cost = charges, tokens, cost
    partition.settled_from, partition.settled_until = settled_from, settled_until
    partition.completed_at = now
    partition.save()


@transaction.atomic(durable=True)
def _validate(partition: ChargePartition) -> None:
    _execute(partitions.VALIDATE, partition)


def _execute(statement: SQL, partition: ChargePartition, **parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(composed(statement, partition), parameters)
        rows: int = cursor.rowcount
        return rows


def composed(statement: SQL, partition: ChargePartition, **values: Any) -> Composable:
    """A statement of `sql.partitions` about the table of this partition."""
    literals = {name: Literal(value) for name, value in values.items()}
    return statement.format(table=Identifier(partition.table), **literals)


def _month_of(moment: datetime) -> date:
    """The first day of the month of a moment, in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)
