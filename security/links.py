"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import Page

links.register(
    {
        "audit_entry": Page("admin:security_auditentry_change"),
        "audit_entries": Page(
            "admin:security_auditentry_changelist", filters={"action": "action", "subject": "q"}
        ),
    }
)
