"""Tables of the app. State machines are drawn in the docstrings."""

from reports.models.charge_back import (
    CloseMarkUp,
    CloseShare,
    CostShare,
    CostShareTarget,
    MarkUp,
    StatementNote,
)
from reports.models.colours import ColourSlot
from reports.models.date_notes import DateNote
from reports.models.export_files import ExportFile, ExportPart
from reports.models.month_closes import (
    CLOSED_MEASURES,
    CloseLine,
    MonthClose,
    OpenEstimate,
)
from reports.models.saved_views import SavedView
from reports.models.schedules import ReportDelivery, ReportRun, ReportSchedule

__all__ = [
    "CLOSED_MEASURES",
    "CloseLine",
    "CloseMarkUp",
    "CloseShare",
    "ColourSlot",
    "CostShare",
    "CostShareTarget",
    "DateNote",
    "ExportFile",
    "ExportPart",
    "MarkUp",
    "MonthClose",
    "OpenEstimate",
    "ReportDelivery",
    "ReportRun",
    "ReportSchedule",
    "SavedView",
    "StatementNote",
]
