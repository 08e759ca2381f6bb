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
SECRET_REVEALED = register(
    AlertKind(
        slug="secret_revealed",
        severity=Severity.CRITICAL,
        meaning="A person has seen the secret of this API key, with the approval of a second "
        "person. It can be used outside Butler from now on, where no limit holds.",
        remedy="Check that both persons meant it. When the secret is no longer needed outside "
        "Butler, replace it in the provider's console and in Butler.",
        page="key",
        subject="key_id",
    )
)
