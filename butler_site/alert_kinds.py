"""The kinds of alerts about people who sign in."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

SIGN_IN_LOCKED = register(
    AlertKind(
        slug="sign_in_locked",
        severity=Severity.WARNING,
        meaning="Somebody entered several wrong passwords in a row for one user name from one "
        "network address. Sign-in with this name is refused to this address for a while; from "
        "other addresses it works.",
        remedy="Ask the user whether it was them. To let them in at once, run "
        "`manage.py axes_reset_username NAME`. If it was somebody else, and the address is not "
        "yours, block it in the proxy before Butler.",
        page="user",
        subject="user_id",
    )
)
