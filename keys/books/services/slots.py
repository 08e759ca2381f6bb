"""Seats for allocations: add, take and free slots."""

from datetime import datetime

from django.db import transaction

from common.statements import fetch
from keys.audit_actions import Action
from keys.books import sql
from keys.models import Slot
from security import audit
from security.actor import Actor


@transaction.atomic
def add_slots(
    count: int, *, runner: str, prefix: str = "slot", actor: Actor, now: datetime
) -> list[Slot]:
    """See to it that a runner has `count` slots, `slot01` and so on; more are left alone."""
    slugs = [f"{prefix}{number:02}" for number in range(1, count + 1)]
    # One by one: only who inserted a row has added it, also when two processes add at once.
    added = [
        slug
        for slug in slugs
        if Slot.objects.get_or_create(slug=slug, defaults={"runner": runner})[1]
    ]
    audit.record_many(
        audit.entry(
            actor=actor,
            action=Action.SLOT_ADD,
            subject=f"slot:{slug}",
            after={"runner": runner},
            at=now,
        )
        for slug in added
    )
    return list(Slot.objects.filter(runner=runner))


@transaction.atomic
def take_slot(*, runner: str, allocation_id: int, now: datetime) -> Slot | None:
    """Seat an allocation; None when no slot is free. The same allocation again: the slot it has."""
    fetch(sql.LOCK_ALLOCATION, allocation=allocation_id)
    fetch(sql.TAKE_SLOT, runner=runner, allocation=allocation_id, now=now)
    return Slot.objects.filter(allocation=allocation_id).first()


def free_slot(*, slug: str, allocation_id: int, now: datetime) -> bool:
    """Make room where this allocation sits; whether it did. Twice is once."""
    taken = Slot.objects.filter(slug=slug, allocation=allocation_id)
    return taken.update(allocation=None, taken_at=None, freed_at=now) == 1


def note_slot_refusal(*, slug: str, code: str, detail: str) -> None:
    """Keep what the gateway said no with to whoever sits there."""
    taken = Slot.objects.filter(slug=slug, allocation__isnull=False)
    taken.update(refusal_code=code, refusal=detail[: Slot.refusal.field.max_length])
