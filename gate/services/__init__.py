"""Every write of the app."""

from gate.approval_alerts import alert_of_approvals
from gate.services.people import (
    end_sessions,
    invite,
    invite_again,
    set_access,
    switch_off,
    switch_on,
)

__all__ = [
    "alert_of_approvals",
    "end_sessions",
    "invite",
    "invite_again",
    "set_access",
    "switch_off",
    "switch_on",
]
