"""Notes on dates: who wrote and who deleted one is in the audit."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from reports import queries
from reports import services as reports
from reports.models import DateNote
from security.models import AuditEntry
from tests.actors import GRACE
from tests.moments import NOON

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 10)


def add(noted_on=DAY, text="Prices rose"):
    return reports.add_note(noted_on=noted_on, text=text, actor=GRACE, now=NOON)


def test_notes_of_some_days_are_in_order():
    for day in (12, 9, 10, 11):
        add(DAY.replace(day=day), f"day {day}")
    found = queries.notes_between(DAY, DAY.replace(day=12))
    assert [note.text for note in found] == ["day 10", "day 11", "day 12"]


def test_adding_and_deleting_a_note_is_in_the_audit():
    note = add()
    reports.delete_note(note, actor=GRACE, now=NOON)
    reports.delete_note(note, actor=GRACE, now=NOON)
    entries = AuditEntry.objects.about(f"date_note:{note.pk}").order_by("pk")
    assert [entry.action for entry in entries] == ["note.add", "note.delete"]
    assert entries[1].before == {"noted_on": "2026-03-10", "text": "Prices rose", "author": "grace"}


def test_a_note_has_a_text():
    with pytest.raises(IntegrityError), transaction.atomic():
        DateNote.objects.create(noted_on=DAY, text="", author="grace")
