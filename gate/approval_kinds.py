"""The kinds of approvals of this app, registered where their changes are made."""

from gate.services.budget_requests import BUDGET_REQUEST
from gate.services.reveals import REVEAL

__all__ = ["BUDGET_REQUEST", "REVEAL"]
