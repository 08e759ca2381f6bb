"""The kinds of approvals of this app, registered where their changes are made."""

from reports.services.month_closes import REOPENING

__all__ = ["REOPENING"]
