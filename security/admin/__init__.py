"""The admin of the app: the audit and its chain, approvals and their policies."""

from security.admin.approval import ApprovalAdmin, ApprovalPolicyAdmin
from security.admin.audit_entry import AuditEntryAdmin
from security.admin.seal import SealAdmin

__all__ = ["ApprovalAdmin", "ApprovalPolicyAdmin", "AuditEntryAdmin", "SealAdmin"]
