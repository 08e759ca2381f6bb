"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import Page

links.register(
    {
        # Those that people decide are pages of the dashboard.
        "recorded_approval": Page("admin:security_approval_change"),
        "recorded_approvals": Page(
            "admin:security_approval_changelist",
            {"status": "status__exact", "subject": "subject__exact"},
        ),
        "approval_policy": Page("admin:security_approvalpolicy_change"),
        "approval_policies": Page("admin:security_approvalpolicy_changelist"),
        "audit_entry": Page("admin:security_auditentry_change"),
        "audit_entries": Page(
            "admin:security_auditentry_changelist", filters={"action": "action", "subject": "q"}
        ),
        "seal": Page("admin:security_seal_change"),
        "seals": Page("admin:security_seal_changelist"),
    }
)
