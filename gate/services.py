"""Every write of Gate."""

from gate.approval_alerts import alert_of_approvals

__all__ = ["alert_of_approvals"]
