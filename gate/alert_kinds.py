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
APPROVAL_OVERDUE = register(
    AlertKind(
        slug="approval_overdue",
        severity=Severity.CRITICAL,
        meaning="Somebody asked for a change many hours ago, and nobody has decided it. It takes "
        "the place of the alert approval_waiting, so that channels for critical alerts are told, "
        "too.",
        remedy="Approve or reject the change, or ask a person who may decide it. Butler resolves "
        "the alert when somebody has decided, and when the approval expires.",
        page="approval",
        subject="approval_id",
        continues=("approval_waiting",),
    )
)
ACCESS_REVIEW_OVERDUE = register(
    AlertKind(
        slug="access_review_overdue",
        severity=Severity.WARNING,
        meaning="The due date of a review of access is over, and some lines are not decided: no "
        "person has said whether these people still need these roles.",
        remedy="Open the review, and confirm or remove each line that is open. Butler resolves the "
        "alert when the review is completed.",
        page="access_review",
        subject="review_id",
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
        is_security=True,
    )
)
AUDIT_UNSEALED = register(
    AlertKind(
        slug="audit_unsealed",
        severity=Severity.CRITICAL,
        meaning="For more than a minute, audit entries, charges or approvals have not been sealed "
        "into the audit chain. Until they are, somebody with access to the database can change "
        "them unnoticed. The alert names the transactions that have been open for so long: what "
        "they wrote cannot be sealed before they end.",
        remedy="If the alert names a transaction, find out what the program does and end it. If "
        "not, look at the log of `manage.py seal_audit`. If it says that the chain is damaged, run "
        "`manage.py audit verify`.",
        page="seal",
        subject="seal",
        is_security=True,
    )
)
AUDIT_TRUNCATED = register(
    AlertKind(
        slug="audit_truncated",
        severity=Severity.CRITICAL,
        meaning="The file of checkpoints does not fit the audit chain: it has a checkpoint over "
        "more rows than the chain has, or it was damaged. Either the database was restored from "
        "a backup, or somebody removed the end of the audit.",
        remedy="Run `manage.py audit verify`, which names what is missing. After a restore, keep "
        "the old file as evidence and move it away: Butler begins a new one.",
        page="seal",
        subject="seal",
        is_security=True,
    )
)
AUDIT_CHECKPOINT = register(
    AlertKind(
        slug="audit_checkpoint",
        severity=Severity.INFO,
        meaning="This is the signed head of the audit chain, which Butler sends once a day and "
        "resolves by itself. With it, you can prove later that nothing before it was changed.",
        remedy="You need to do nothing. Keep the message where administrators of the database "
        "cannot change it; `manage.py audit verify --anchors FILE` compares the chain with it.",
        page="seal",
        subject="seal",
        is_security=True,
    )
)
SECRET_LEAKED = register(
    AlertKind(
        slug="secret_leaked",
        severity=Severity.CRITICAL,
        meaning="A secret that Butler holds was found where it must not be. If it is the API key "
        "of a provider, Butler froze it, and its sessions move to other keys or stop.",
        remedy="Replace the secret in the provider's console and in Butler until the deadline on "
        "the page of the finding, and remove it where it was found. Then mark the finding as "
        "fixed, and let somebody else thaw the key.",
        page="finding",
        subject="finding_id",
        is_security=True,
    )
)
SECRET_NOT_REPLACED = register(
    AlertKind(
        slug="secret_not_replaced",
        severity=Severity.CRITICAL,
        meaning="A secret of Butler's was found where it must not be, and the time to replace it "
        "is over.",
        remedy="Replace the secret now, and mark the finding as fixed on its page.",
        page="finding",
        subject="finding_id",
        is_security=True,
    )
)
