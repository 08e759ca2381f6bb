"""What `reports` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on notes, files and months."""

    NOTE_ADD = "note.add"
    NOTE_DELETE = "note.delete"
    EXPORT_CREATE = "export.create"
    MONTH_LOCK = "month.lock"
    MONTH_SIGN = "month.sign"
    MONTH_REOPEN = "month.reopen"
