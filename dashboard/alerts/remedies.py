"""The button of an alert: the page where its remedy is carried out, for people who may open it."""

from typing import Any, NamedTuple

from alerts import kinds
from alerts.models import Alert

# The permission that each page of a remedy needs.
PERMISSIONS = {
    "access_review": "auth.view_user",
    "account": "treasury.view_account",
    "agent": "keys.view_agent",
    "agent_budget": "keys.view_window",
    "approval": "security.view_approval",
    "books_check": "keys.view_bookscheck",
    "budget": "keys.view_window",
    "channel": "alerts.view_channel",
    "finding": "gate.view_finding",
    "freeze": "keys.view_freeze",
    "kept_month": "keys.view_chargepartition",
    "host": "orchestration.view_attempt",
    "key": "keys.view_apikey",
    "provider": "keys.view_provider",
    "difference": "treasury.view_difference",
    "purchase": "treasury.view_purchase",
    "refund": "treasury.view_refund",
    "payout": "treasury.view_payout",
    "purchase_policy": "treasury.view_purchasepolicy",
    "seal": "security.view_seal",
    "session": "keys.view_allocation",
    "spend_of_centre": "keys.view_charge",
    "sub_task": "orchestration.view_subtask",
    "task": "orchestration.view_task",
    "user": "auth.view_user",
    "window": "keys.view_window",
}


class Remedy(NamedTuple):
    """A button: its words and its page."""

    button: str
    url: str


def remedy_for(user: Any, alert: Alert) -> Remedy | None:
    """The button of the alert; None if it has none, or the person may not open its page."""
    kind, url = kinds.find(alert.kind), alert.remedy_path
    if kind is None or url is None or not user.has_perm(PERMISSIONS[kind.page]):
        return None
    return Remedy(f"Open the {kind.page.replace('_', '-')}", url)
