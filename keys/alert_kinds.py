"""The kinds of alerts about API keys and about the allocations lent on them."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

KEY_BROKEN = register(
    AlertKind(
        slug="key_broken",
        severity=Severity.CRITICAL,
        meaning="The provider says that this API key is invalid, disabled or expired. Butler "
        "stopped using the key and moves its sessions to other keys.",
        remedy="Check the key in the provider's console. Store a valid secret for it in Butler, "
        "then activate the key.",
        page="key",
        subject="key_id",
    )
)
KEY_SUSPENDED = register(
    AlertKind(
        slug="key_suspended",
        severity=Severity.WARNING,
        meaning="The provider denied access with this API key and did not say why. Butler leaves "
        "the key alone for a short time and asks the provider whether the key is valid. The alert "
        "names the agent and the session whose request was refused.",
        remedy="You need to do nothing if Butler resolves the alert: the key is in use again. "
        "If it stays open, check the key in the provider's console, and look at what the agent "
        "asked for.",
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
KEY_NO_CREDIT = register(
    AlertKind(
        slug="key_no_credit",
        severity=Severity.CRITICAL,
        meaning="The provider says that the account of this API key has no credit, or has reached "
        "its spending limit. Butler leaves the key alone for 15 minutes, and then tries it again.",
        remedy="Add credit to the account, or raise its spending limit, in the provider's console.",
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
HOLD_CHARGED = register(
    AlertKind(
        slug="hold_charged",
        severity=Severity.WARNING,
        meaning="The gateway held tokens for a call and was stopped or killed before the call "
        "ended. The provider may bill the call, so Butler charged the whole hold as an estimate.",
        remedy="Find out why the web process ended; its log may say so. Compare the charges that "
        "the alert lists with the provider's usage report, and adjust those that differ. If the "
        "process comes back and settles a call, its charge is corrected.",
        page="session",
        subject="session_id",
    )
)
KEY_URL_CHANGED = register(
    AlertKind(
        slug="key_url_changed",
        severity=Severity.CRITICAL,
        meaning="Somebody changed the base URL of this API key. Calls "
        "with the key, with all that agents write in them, go to the new address.",
        remedy="Check that the address belongs to the provider. If it does, resolve the alert. If "
        "it does not, switch the key off, and find out in the history who changed it.",
        page="key",
        subject="key_id",
        is_security=True,
    )
)
PROVIDER_URL_CHANGED = register(
    AlertKind(
        slug="provider_url_changed",
        severity=Severity.CRITICAL,
        meaning="Somebody changed the base URL of this provider. Its API keys without a base URL "
        "of their own are switched off, because their secrets were entered for the old address.",
        remedy="Check that the address belongs to the provider. If it does, enter the secret of "
        "each key again and switch it on. If it does not, change the address back: with the old "
        "address, the keys can be switched on without their secrets.",
        page="provider",
        subject="provider",
        is_security=True,
    )
)
FROZEN = register(
    AlertKind(
        slug="frozen",
        severity=Severity.CRITICAL,
        meaning="Somebody froze an API key, a provider, an agent, a cost centre or all spending. "
        "No new call is made for it, and running calls were ended if the freeze says so.",
        remedy="Find out on the page of the freeze who made it and why. When the matter is "
        "settled, somebody other than who froze it thaws it there.",
        page="freeze",
        subject="freeze_id",
        is_security=True,
    )
)
THAWED = register(
    AlertKind(
        slug="thawed",
        severity=Severity.WARNING,
        meaning="Somebody thawed what was frozen. Calls are made for it again.",
        remedy="If the thaw was agreed, resolve the alert. If it was not, freeze it again and "
        "find out on the page of the freeze who thawed it.",
        page="freeze",
        subject="freeze_id",
        is_security=True,
    )
)
BOOKS_BROKEN = register(
    AlertKind(
        slug="books_broken",
        severity=Severity.CRITICAL,
        meaning="The nightly books check found rows that break an invariant of the books: figures "
        "on pages, or what agents may still spend, can be wrong. The page of the check names each "
        "invariant and the first rows.",
        remedy="Find out what changed these rows: somebody with access to the database, a restore, "
        "or an error in Butler. Keep a backup before you repair anything. `manage.py check_books` "
        "checks again at once; Butler resolves the alert when a nightly check finds no such row.",
        page="books_check",
        subject="books_check",
    )
)
CHARGES_NOT_DELETED = register(
    AlertKind(
        slug="charges_not_deleted",
        severity=Severity.INFO,
        meaning="Retention says that the charges of some months need not be kept any more, but "
        "something else needs them. The alert names each month and the reason. Nothing was deleted "
        "of these months.",
        remedy="Do what the reason says, such as closing the month, or keep charges for longer. "
        "Butler looks again each day, and resolves the alert when no month waits.",
        page="kept_month",
        subject="month",
    )
)
BOOKS_UNCHECKED = register(
    AlertKind(
        slug="books_unchecked",
        severity=Severity.WARNING,
        meaning="A nightly books check began and did not finish: its process was killed, the "
        "database went away, or the check took longer than an hour. Butler begins it again, at "
        "most three times a night.",
        remedy="Look into the log of the queue for the reason, and run `manage.py check_books`, "
        "which has no time limit. Butler resolves the alert when a nightly check finishes.",
        page="books_check",
        subject="books_check",
    )
)
BUDGET_THRESHOLD = register(
    AlertKind(
        slug="budget_threshold",
        severity=Severity.WARNING,
        meaning="The usage of a cost centre has reached a threshold of one of its budgets. Nothing "
        "is stopped: calls are refused only when the whole budget is used and committed.",
        remedy="See on the page of the budget who spends it and where it will land. Raise it, ask "
        "for more, or tell the people whose agents spend it. Butler resolves the alert when the "
        "period ends or the budget is raised.",
        page="budget",
        subject="cost_centre",
    )
)
AGENT_BUDGET_THRESHOLD = register(
    AlertKind(
        slug="agent_budget_threshold",
        severity=Severity.WARNING,
        meaning="The usage of an agent has reached a threshold of one of its budgets. Nothing is "
        "stopped: calls are refused only when the whole budget is used and committed.",
        remedy="See on the page of the budget what the agent spends it on and where it will land. "
        "Raise it, ask for more, or stop the work that needs so much. Butler resolves the alert "
        "when the period ends or the budget is raised.",
        page="agent_budget",
        subject="agent_id",
    )
)
