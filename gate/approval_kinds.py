"""The kinds of approvals of this app, registered where their changes are made."""

from gate.services.budget_requests import BUDGET_REQUEST

__all__ = ["BUDGET_REQUEST"]
