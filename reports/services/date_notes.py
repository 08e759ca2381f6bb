"""Add and delete notes on dates."""

from datetime import date, datetime

from django.db import transaction

from reports.audit_actions import Action
from reports.models import DateNote
from security import audit
from security.actor import Actor


@transaction.atomic(durable=True)
def add_note(*, noted_on: date, text: str, actor: Actor, now: datetime) -> DateNote:
    """Add a note that everyone who sees charts reads."""
    note = DateNote.objects.create(noted_on=noted_on, text=text, author=actor.name)
    audit.record(
        actor=actor,
        action=Action.NOTE_ADD,
        subject=f"date_note:{note.pk}",
        after={"noted_on": noted_on, "text": text},
        at=now,
    )
    return note


@transaction.atomic(durable=True)
def delete_note(note: DateNote, *, actor: Actor, now: datetime) -> None:
    """Delete a note. A second call changes nothing."""
    deleted, _ = DateNote.objects.filter(pk=note.pk).delete()
    if deleted:
        audit.record(
            actor=actor,
            action=Action.NOTE_DELETE,
            subject=f"date_note:{note.pk}",
            before={"noted_on": note.noted_on, "text": note.text, "author": note.author},
            at=now,
        )
