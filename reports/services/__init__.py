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
from reports.services.find_savings import ask_savings, find_savings
from reports.services.month_closes import ask_reopening, lock_month, sign_month
from reports.services.prefer_key import prefer_key
from reports.services.saved_views import change_view, delete_view, save_view
from reports.services.schedules import (
    add_schedule,
    change_schedule,
    claim_deliveries,
    claim_run,
    delete_schedule,
    end_run,
    fail_delivery,
    fail_run,
    keep_run,
    open_due_runs,
    pause_schedule,
    record_delivery,
    record_file,
    refuse_delivery,
    resume_schedule,
    run_schedule,
    runs_to_send,
    test_schedule,
)

__all__ = [
    "ExportRequest",
    "add_note",
    "add_schedule",
    "change_schedule",
    "ask_export",
    "ask_reopening",
    "ask_savings",
    "assign_colours",
    "change_mark_up",
    "change_view",
    "claim_deliveries",
    "claim_export",
    "claim_run",
    "delete_expired_exports",
    "delete_note",
    "delete_schedule",
    "delete_view",
    "end_run",
    "fail_delivery",
    "fail_export",
    "fail_run",
    "find_savings",
    "keep_run",
    "lock_month",
    "note_progress",
    "open_due_runs",
    "pause_schedule",
    "prefer_key",
    "record_delivery",
    "record_file",
    "refuse_delivery",
    "resume_exports",
    "resume_schedule",
    "run_schedule",
    "runs_to_send",
    "save_view",
    "share_costs",
    "sign_month",
    "stop_sharing",
    "store_export",
    "test_schedule",
    "write_note",
]
