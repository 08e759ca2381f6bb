"""What `reports` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on notes, files, months and charge-back."""

    NOTE_ADD = "note.add"
    NOTE_DELETE = "note.delete"
    EXPORT_CREATE = "export.create"
    MONTH_LOCK = "month.lock"
    MONTH_SIGN = "month.sign"
    COST_SHARE_SET = "cost_share.set"
    COST_SHARE_DELETE = "cost_share.delete"
    MARK_UP_CHANGE = "mark_up.change"
    STATEMENT_NOTE = "statement.note"
    SCHEDULE_ADD = "report_schedule.add"
    SCHEDULE_CHANGE = "report_schedule.change"
    SCHEDULE_PAUSE = "report_schedule.pause"
    SCHEDULE_RESUME = "report_schedule.resume"
    SCHEDULE_RUN = "report_schedule.run"
    SCHEDULE_DELETE = "report_schedule.delete"
    MONTH_REOPEN = "month.reopen"
