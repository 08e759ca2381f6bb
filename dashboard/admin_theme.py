"""How the admin looks and what its sidebar holds; named in `settings.UNFOLD`."""

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

# Each line: title, icon, app and model.
_GROUPS = {
    "Supply": [
        ("API keys", "key", "keys_apikey"),
        ("Providers", "storefront", "keys_provider"),
        ("Prices", "sell", "keys_price"),
    ],
    "People": [
        ("Agents", "smart_toy", "keys_agent"),
        ("Cost centres", "account_tree", "keys_costcentre"),
        ("Agent tokens", "badge", "keys_agenttoken"),
    ],
    "Work": [
        ("Tasks", "task_alt", "orchestration_task"),
        ("Attempts", "replay", "orchestration_attempt"),
        ("Concurrency limits", "speed", "orchestration_concurrency"),
        ("Command agents", "terminal", "orchestration_command"),
    ],
    "The books": [
        ("Allocations", "payments", "keys_allocation"),
        ("Charges", "receipt_long", "keys_charge"),
        ("Windows", "calendar_month", "keys_window"),
        ("Slots", "event_seat", "keys_slot"),
        ("History", "history", "keys_history"),
    ],
    "Prompts and answers": [
        ("Retention", "auto_delete", "gateway_retention"),
        ("Kept exchanges", "forum", "gateway_exchange"),
        ("Who looked", "visibility", "gateway_exchangelook"),
    ],
    "Alerts": [
        ("Alerts", "notifications", "alerts_alert"),
        ("Channels", "campaign", "alerts_channel"),
        ("Delivery log", "outbox", "alerts_notification"),
    ],
    "Sign-in": [
        ("Users", "person", "auth_user"),
        ("Groups", "group", "auth_group"),
    ],
}


def mark(request: HttpRequest) -> str:
    """The address of Butler's mark."""
    return static("dashboard/mark.svg")


def parts_style(request: HttpRequest) -> str:
    """The address of the style of bars and differences."""
    return static("dashboard/parts.css")


def admin_style(request: HttpRequest) -> str:
    """The address of what is added to the admin's style."""
    return static("dashboard/admin.css")


def navigation(request: HttpRequest) -> list[dict[str, object]]:
    """The sidebar: what this user may see."""
    overview = {
        "title": "Overview",
        "icon": "dashboard",
        "link": reverse("dashboard:first-page"),
        # Otherwise it would count as active on every page: their addresses begin with its own.
        "active": False,
    }
    groups = [
        {"title": title, "separator": True, "items": _allowed(request, items)}
        for title, items in _GROUPS.items()
    ]
    return [{"items": [overview]}, *(group for group in groups if group["items"])]


def _allowed(request: HttpRequest, items) -> list[dict[str, object]]:
    return [
        {"title": title, "icon": icon, "link": reverse(f"admin:{model}_changelist")}
        for title, icon, model in items
        if request.user.has_perm(model.replace("_", ".view_"))
    ]
