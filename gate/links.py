"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import Page

links.register(
    {
        "reveal": Page("admin:gate_reveal_change"),
        "finding": Page("admin:gate_finding_change"),
        "findings": Page("admin:gate_finding_changelist"),
        "reveals": Page("admin:gate_reveal_changelist"),
    }
)
