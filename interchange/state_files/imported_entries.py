"""Keep the allocations, alerts and history of imported files beside the rows that they became."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from common.bulk_copy import copy_rows
from interchange.models import ImportedEntry
from interchange.state_files import imported_records
from interchange.state_files.sections import SECTIONS, Rendered
from interchange.state_files.validation import Documents
from security import audit

_BATCH = 1_000
_Section = ImportedEntry.Section
_NO_SESSION: tuple[int, tuple[str, Any]] = (0, ("", None))
_COLUMNS = ("section", "row", "position", "original", "rendered")


def last_rows() -> dict[ImportedEntry.Section, int]:
    """The highest id of each section's rows, for `keep`."""
    return {name: section.last() for name, section in SECTIONS.items()}


def write_history(documents: Documents) -> int:
    """Write the audit entries of the file's history; returns how many. Joins the transaction."""
    entries, position = iter(documents.history), 0
    while batch := list(islice(entries, _BATCH)):
        rows = audit.copy_many([imported_records.audit_entry(entry) for entry in batch])
        _copy(
            (_Section.HISTORY, row.pk, number, json.dumps(entry), "")
            for number, (row, entry) in enumerate(zip(rows, batch, strict=True), position)
        )
        position += len(batch)
    return position


def keep(
    documents: Documents,
    *,
    alerts: Sequence[int],
    since: Mapping[ImportedEntry.Section, int],
) -> None:
    """Keep how Butler renders what the import wrote: the rows after the ids `since`.

    `alerts` are the ids of the imported alerts in the order of the file.
    """
    _keep_sessions(documents, since)
    numbers = {row: number for number, row in enumerate(alerts)}
    for batch in _batches(_Section.ALERTS, since):
        _copy(
            _row(_Section.ALERTS, entry, at, None if at is None else documents.state["alerts"][at])
            for entry in batch
            for at in [numbers.get(entry.row)]
        )
    own = SECTIONS[_Section.HISTORY].written_since(since[_Section.HISTORY])
    _copy((_Section.HISTORY, row, None, "", "") for row in list(own))


def _keep_sessions(documents: Documents, since: Mapping[ImportedEntry.Section, int]) -> None:
    """The rows are in the order of the file; those of usage without a session come after them."""
    sessions = enumerate(documents.sessions)
    place, (name, original) = next(sessions, _NO_SESSION)
    for batch in _batches(_Section.ALLOCATIONS, since):
        rows = []
        for entry in batch:
            if entry.name == name:
                rows.append(_row(_Section.ALLOCATIONS, entry, place, original))
                place, (name, original) = next(sessions, _NO_SESSION)
            else:
                rows.append(_row(_Section.ALLOCATIONS, entry, None, None))
        _copy(rows)


def _batches(
    section: ImportedEntry.Section, since: Mapping[ImportedEntry.Section, int]
) -> Iterator[list[Rendered]]:
    """In lists, since nothing can be read while rows are copied."""
    entries = SECTIONS[section].since(since[section])
    while batch := list(islice(entries, _BATCH)):
        yield batch


def _row(
    section: ImportedEntry.Section, entry: Rendered, position: int | None, original: Any
) -> tuple[Any, ...]:
    text = "" if position is None else json.dumps(original)
    return section, entry.row, position, text, entry.text


def _copy(rows: Iterable[tuple[Any, ...]]) -> None:
    copy_rows(ImportedEntry, _COLUMNS, rows)
