"""The kinds of alerts about API keys and about the allocations lent on them."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

KEY_BROKEN = register(
    AlertKind(
        slug="key_broken",
        severity=Severity.CRITICAL,
        meaning="The provider rejected the secret of this API key (401 or 403). Butler stopped "
        "using the key and moves its sessions to other keys.",
        remedy="Check the key in the provider's console. Store a valid secret for it in Butler, "
        "then activate the key.",
        page="key",
        subject="key_id",
    )
)
KEY_COOLING = register(
    AlertKind(
        slug="key_cooling",
        severity=Severity.WARNING,
        meaning="The provider answered that this API key sends too many requests (429). Butler "
        "leaves the key alone for the time that the provider asked for, and then uses it again.",
        remedy="You need to do nothing if this happens rarely. If it happens often, ask the "
        "provider for a higher rate limit or add another key.",
        page="key",
        subject="key_id",
    )
)
KEY_EXHAUSTED = register(
    AlertKind(
        slug="key_exhausted",
        severity=Severity.WARNING,
        meaning="This API key has used all that one of its limits allows. Butler lends no more on "
        "the key until the limit's window resets.",
        remedy="Wait for the reset that the key's page shows, raise the limit, or add another key.",
        page="key",
        subject="key_id",
    )
)
ROTATION_NEEDED = register(
    AlertKind(
        slug="rotation_needed",
        severity=Severity.WARNING,
        meaning="A session has used so much of its allocation that it reached its rotation "
        "threshold. With automatic rotation, Butler moves the rest to another API key.",
        remedy="If the session does not rotate automatically, rotate its allocation to another "
        "key or extend it before its tokens run out.",
        page="session",
        subject="session_id",
    )
)
SESSION_EXHAUSTED = register(
    AlertKind(
        slug="exhausted",
        severity=Severity.CRITICAL,
        meaning="A session has used every token of its allocation. The allocation is closed, and "
        "further calls of the session are refused.",
        remedy="Find out what the session used the tokens for. If its work should go on, let the "
        "agent ask for a new allocation.",
        page="session",
        subject="session_id",
    )
)
SESSION_OVERRUN = register(
    AlertKind(
        slug="overrun",
        severity=Severity.CRITICAL,
        meaning="A call used more tokens than Butler had held for it. The usage is recorded in "
        "full and the session's allocation is closed.",
        remedy="Compare the session's last charge with the provider's usage report. If the same "
        "model does it again, deactivate its keys until the difference is explained.",
        page="session",
        subject="session_id",
    )
)
