"""What `reports` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on notes and files."""

    NOTE_ADD = "note.add"
    NOTE_DELETE = "note.delete"
    EXPORT_CREATE = "export.create"
