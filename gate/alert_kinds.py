"""The kinds of alerts of this app."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

APPROVAL_WAITING = register(
    AlertKind(
        slug="approval_waiting",
        severity=Severity.WARNING,
        meaning="Somebody asked for a change that a second person must approve, such as a higher "
        "limit or a budget for an agent. Nothing changes until then.",
        remedy="Look at what the change does, and approve or reject it. Butler resolves the alert "
        "when somebody has decided, and when the approval expires.",
        page="approval",
        subject="approval_id",
    )
)
