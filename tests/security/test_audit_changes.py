"""What an audit entry changed, as people read it."""

import pytest

from security.audit_changes import Change, changes
from security.models import AuditEntry


def test_only_what_differs_is_listed():
    entry = AuditEntry(
        before={"priority": 1, "sandbox": False}, after={"priority": 2, "sandbox": False}
    )
    assert changes(entry) == [Change("priority", "1", "2")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (True, "yes"),
        (1234567, "1,234,567"),
        ("0.000000000", "0"),
        ("12.500000000", "12.500000000"),
        (["spend", "read"], "spend, read"),
        ("2026-03-10T12:00:00Z", "2026-03-10 12:00 UTC"),
        ("2026-03-10T14:00:59.866+02:00", "2026-03-10 12:00 UTC"),
        ("2026-99-10T14:00:00Z", "2026-99-10T14:00:00Z"),
        ("nvidia-1", "nvidia-1"),
    ],
)
def test_a_value_is_written_as_people_read_it(value, words):
    [change] = changes(AuditEntry(after={"value": value}))
    assert (change.before, change.after) == ("", words)
