"""Seats for allocations: add, take and free slots."""

from datetime import datetime

from django.db import transaction

from keys import database
from keys.models import Slot

# So that one allocation asks once at a time, and the next statement sees what came of it.
_LOCK = "SELECT FROM keys_allocation WHERE id = %(allocation)s FOR NO KEY UPDATE"
# Whoever sits somewhere stays there; else the slot that was free for longest, if any is.
_TAKE = """
WITH free AS (
    SELECT slug FROM keys_slot
     WHERE runner = %(runner)s AND allocation_id IS NULL
       AND NOT EXISTS (SELECT FROM keys_slot WHERE allocation_id = %(allocation)s)
     ORDER BY freed_at NULLS FIRST, slug LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE keys_slot s
   SET allocation_id = %(allocation)s, taken_at = %(now)s, refusal_code = '', refusal = ''
  FROM free WHERE s.slug = free.slug
"""


@transaction.atomic
def add_slots(count: int, *, runner: str, prefix: str = "slot") -> list[Slot]:
    """See to it that a runner has `count` slots, `slot01` and so on; more are left alone."""
    slugs = [f"{prefix}{number:02}" for number in range(1, count + 1)]
    Slot.objects.bulk_create(
        [Slot(slug=slug, runner=runner) for slug in slugs], ignore_conflicts=True
    )
    return list(Slot.objects.filter(runner=runner))


@transaction.atomic
def take_slot(*, runner: str, allocation_id: int, now: datetime) -> Slot | None:
    """Seat an allocation; None when no slot is free. The same allocation again: the slot it has."""
    database.rows(_LOCK, allocation=allocation_id)
    database.rows(_TAKE, runner=runner, allocation=allocation_id, now=now)
    return Slot.objects.filter(allocation=allocation_id).first()


def free_slot(*, slug: str, allocation_id: int, now: datetime) -> bool:
    """Make room where this allocation sits; whether it did. Twice is once."""
    taken = Slot.objects.filter(slug=slug, allocation=allocation_id)
    return taken.update(allocation=None, taken_at=None, freed_at=now) == 1


def note_slot_refusal(*, slug: str, code: str, detail: str) -> None:
    """Keep what the gateway said no with to whoever sits there."""
    taken = Slot.objects.filter(slug=slug, allocation__isnull=False)
    taken.update(refusal_code=code, refusal=detail[: Slot.refusal.field.max_length])
