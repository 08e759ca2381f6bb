"""The allocations, alerts and history of Butler as entries of the state file.

There can be millions, so each is read as a stream.
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import (
    Exists,
    F,
    Func,
    Max,
    Model,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
)

from alerts.models import Alert
from interchange.models import ImportedEntry
from interchange.state_files.event_types import TYPE_OF_ACTION
from interchange.state_files.storable import iso
from keys import services as keys
from keys.models import Allocation, Charge
from security.actor import display_name
from security.models import AuditEntry

_CHUNK = 5_000


# A call as JSON. Its names are words of ASCII, without any character that JSON escapes.
_CALL = (
    '{"timestamp": "%s", "type": "usage_update", "keyId": "%s", "agentId": "%s", "sessionId": "%s",'
    ' "tokens": %s, "inputTokens": %s, "outputTokens": %s, "cost": "%s"}'
)


class Rendered(NamedTuple):
    """An entry: the id of its row, its name in an object (of a list: empty), and its JSON."""

    row: int
    name: str
    text: str


def _allocations(rows: QuerySet[Allocation]) -> Iterator[Rendered]:
    found = rows.select_related("api_key").order_by("pk")
    for row in found.iterator(chunk_size=_CHUNK):
        entry = {
            "agentId": row.agent_id,
            "keyId": row.api_key_id,
            "provider": row.api_key.provider_id,
            "model": row.default_model,
            "allocated": row.allocated,
            "used": row.used,
            "status": row.status,
            "rotationThreshold": row.rotation_threshold,
            "autoRotate": row.auto_rotate,
            "createdAt": iso(row.created_at),
            "expiresAt": iso(row.expires_at),
            "closedAt": iso(row.closed_at),
        }
        yield Rendered(row.pk, row.session_id, json.dumps(entry))


def _alerts(rows: QuerySet[Alert]) -> Iterator[Rendered]:
    for row in rows.order_by("pk").iterator(chunk_size=_CHUNK):
        entry = {
            "id": str(row.pk),
            "type": row.kind,
            "severity": row.severity,
            "message": row.detail if row.detail.startswith(row.title) else row.title,
            "keyId": row.key_id,
            "sessionId": row.session_id,
            "timestamp": iso(row.raised_at),
            "acknowledged": row.acknowledged_at is not None,
            "resolved": row.is_resolved,
        }
        yield Rendered(row.pk, "", json.dumps(entry))


def _events(rows: QuerySet[AuditEntry]) -> Iterator[tuple[datetime, Rendered]]:
    """The audit entries that the format knows, oldest first."""
    known = rows.filter(action__in=TYPE_OF_ACTION)
    columns = (
        *("at", "pk", "action", "subjects", "actor_name", "actor_kind"),
        *("reason", "before", "after"),
    )
    found = known.order_by("at", "pk").values_list(*columns, named=True)
    for row in found.iterator(chunk_size=_CHUNK):
        # The first subject of each kind: for a rotation, the key that it moved to.
        about = dict(subject.split(":", 1) for subject in reversed(row.subjects))
        entry = {
            "timestamp": iso(row.at),
            "type": TYPE_OF_ACTION[row.action],
            "keyId": about.get("key"),
            "agentId": about.get("agent"),
            "sessionId": about.get("session"),
            "by": display_name(row.actor_name, row.actor_kind),
            "reason": row.reason,
            "before": row.before,
            "after": row.after,
        }
        yield row.at, Rendered(row.pk, "", json.dumps(entry))


def _calls() -> Iterator[tuple[datetime, Rendered]]:
    """Every call as a `usage_update`, oldest first; not the sums that an import charged."""
    imported = Q(idempotency_key__startswith=keys.IMPORTED_CHARGE)
    calls = Charge.objects.filter(status="settled").exclude(
        imported, allocation__asked={"imported": True}
    )
    in_utc = Func(Value("UTC"), F("settled_at"), function="timezone")
    at = Func(in_utc, Value('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), function="to_char")
    members = (
        *("api_key_id", "allocation__agent_id", "allocation__session_id"),
        *("tokens", "input_tokens", "output_tokens", "cost"),
    )
    # By the database, which takes a third of the time.
    text = Func(Value(_CALL), at, *members, function="format", output_field=TextField())
    found = calls.order_by("settled_at", "pk").values_list("settled_at", "pk", text)
    for moment, row, entry in found.iterator(_CHUNK):
        yield moment, Rendered(row, "", entry)


def _timeless(rows: QuerySet[AuditEntry]) -> Iterator[Rendered]:
    return (entry for _, entry in _events(rows))


def _history(rows: QuerySet[AuditEntry]) -> Iterator[Rendered]:
    """Audit entries and calls in one order of time."""
    for _, entry in heapq.merge(_calls(), _events(rows), key=itemgetter(0)):
        yield entry


@dataclass(frozen=True)
class Section:
    """How the entries of one section are read."""

    name: ImportedEntry.Section
    model: type[Model]
    # Whether the file has the section as an object by name, and not as a list.
    is_object: bool
    # The entries of these rows.
    render: Callable[[QuerySet[Any]], Iterator[Rendered]]
    # The entries of these rows and of what is in no file: the calls.
    render_all: Callable[[QuerySet[Any]], Iterator[Rendered]]

    def entries(self) -> QuerySet[ImportedEntry]:
        """What was imported, in the order of the file; then what the import wrote itself."""
        return ImportedEntry.objects.filter(section=self.name).order_by("position", "row")

    def of(self, ids: Iterable[int]) -> dict[int, Rendered]:
        """The entries of the rows with these ids."""
        return {entry.row: entry for entry in self.render(self._rows().filter(pk__in=ids))}

    def others(self) -> Iterator[Rendered]:
        """The entries of all rows that no import wrote."""
        return self.render_all(self._rows().filter(self._in_no_file()))

    def since(self, last: int) -> Iterator[Rendered]:
        """The entries of the rows after the id `last`."""
        return self.render(self._rows().filter(pk__gt=last))

    def written_since(self, last: int) -> QuerySet[Any, int]:
        """The ids of the rows after the id `last` that are in no imported file."""
        return self._rows().filter(self._in_no_file(), pk__gt=last).values_list("pk", flat=True)

    def last(self) -> int:
        """The highest id of a row, 0 without one."""
        found: int | None = self._rows().aggregate(last=Max("pk"))["last"]
        return found or 0

    def _in_no_file(self) -> Q:
        """A condition on rows. NOT IN would compare each row with each entry of a large import."""
        return Q(~Exists(self.entries().order_by().filter(row=OuterRef("pk"))))

    def _rows(self) -> QuerySet[Any]:
        return self.model._default_manager.all()


SECTIONS = {
    section.name: section
    for section in (
        Section(ImportedEntry.Section.ALLOCATIONS, Allocation, True, _allocations, _allocations),
        Section(ImportedEntry.Section.ALERTS, Alert, False, _alerts, _alerts),
        Section(ImportedEntry.Section.HISTORY, AuditEntry, False, _timeless, _history),
    )
}
