"""The kinds of approvals of this app, registered where their changes are made."""

from security.services.approval_policies import POLICY

__all__ = ["POLICY"]
