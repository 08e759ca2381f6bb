"""The statements of the app."""

from reports.sql.freeze import FREEZE

__all__ = ["FREEZE"]
