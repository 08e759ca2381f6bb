"""Add, take and free slots, each of which holds one allocation at a time."""

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
    """Add the missing ones of `count` slots of a runner (`slot01` and so on); returns all."""
    slugs = [f"{prefix}{number:02}" for number in range(1, count + 1)]
    # One by one, so that each is recorded only by the process that inserted it.
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
    """Give an allocation a free slot, or return the slot it has; None when no slot is free."""
    fetch(sql.LOCK_ALLOCATION, allocation=allocation_id)
    fetch(sql.TAKE_SLOT, runner=runner, allocation=allocation_id, now=now)
    return Slot.objects.filter(allocation=allocation_id).first()


def free_slot(*, slug: str, allocation_id: int, now: datetime) -> bool:
    """Free the slot if this allocation is in it; returns whether it was. May be called twice."""
    occupied = Slot.objects.filter(slug=slug, allocation=allocation_id)
    return occupied.update(allocation=None, taken_at=None, freed_at=now) == 1


def note_slot_refusal(*, slug: str, code: str, detail: str) -> None:
    """Record the gateway's refusal of a call of the allocation that is in the slot."""
    occupied = Slot.objects.filter(slug=slug, allocation__isnull=False)
    occupied.update(refusal_code=code, refusal=detail[: Slot.refusal.field.max_length])
