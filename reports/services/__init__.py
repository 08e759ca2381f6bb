"""Every write of the app."""

from reports.services.charge_back import (
    change_mark_up,
    share_costs,
    stop_sharing,
    write_note,
)
from reports.services.colours import assign_colours
from reports.services.date_notes import add_note, delete_note
from reports.services.export_files import (
    ExportRequest,
    ask_export,
    claim_export,
    delete_expired_exports,
    fail_export,
    note_progress,
    resume_exports,
    store_export,
)
from reports.services.month_closes import ask_reopening, lock_month, sign_month
from reports.services.saved_views import change_view, delete_view, save_view

__all__ = [
    "ExportRequest",
    "add_note",
    "ask_export",
    "ask_reopening",
    "assign_colours",
    "change_mark_up",
    "change_view",
    "claim_export",
    "delete_expired_exports",
    "delete_note",
    "delete_view",
    "fail_export",
    "lock_month",
    "note_progress",
    "resume_exports",
    "save_view",
    "share_costs",
    "sign_month",
    "stop_sharing",
    "store_export",
    "write_note",
]
