"""The admin of the app: the audit, approvals and their policies."""

from security.admin.approval import ApprovalAdmin, ApprovalPolicyAdmin
from security.admin.audit_entry import AuditEntryAdmin

__all__ = ["ApprovalAdmin", "ApprovalPolicyAdmin", "AuditEntryAdmin"]
