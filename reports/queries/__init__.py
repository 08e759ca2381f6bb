"""Reads of the app."""

from reports.queries.colours import colour_slots
from reports.queries.date_notes import notes_between
from reports.queries.export_files import exports_of, parts_of
from reports.queries.month_closes import open_months
from reports.queries.saved_views import saved_views

__all__ = ["colour_slots", "exports_of", "notes_between", "open_months", "parts_of", "saved_views"]
