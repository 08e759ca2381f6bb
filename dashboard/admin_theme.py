"""How the admin looks and what its sidebar holds; named in `settings.UNFOLD`."""

from django.http import HttpRequest
from django.templatetags.static import static

from common import links

# Each line: title, icon, kind of page, and the permission that shows it.
_GROUPS = {
    "Supply": [
        ("API keys", "key", "keys", "keys.view_apikey"),
        ("Providers", "storefront", "providers", "keys.view_provider"),
        ("Prices", "sell", "prices", "keys.view_price"),
    ],
    "People": [
        ("Agents", "smart_toy", "agents", "keys.view_agent"),
        ("Cost centres", "account_tree", "centres", "keys.view_costcentre"),
        ("Agent tokens", "badge", "agent_tokens", "keys.view_agenttoken"),
    ],
    "Work": [
        ("Tasks", "task_alt", "tasks", "orchestration.view_task"),
        ("Attempts", "replay", "attempts", "orchestration.view_attempt"),
        ("Concurrency limits", "speed", "concurrency_limits", "orchestration.view_concurrency"),
        ("Command agents", "terminal", "commands", "orchestration.view_command"),
    ],
    "The books": [
        ("Allocations", "payments", "allocations", "keys.view_allocation"),
        ("Charges", "receipt_long", "charges", "keys.view_charge"),
        ("Windows", "calendar_month", "windows", "keys.view_window"),
        ("Slots", "event_seat", "slots", "keys.view_slot"),
    ],
    "Prompts and answers": [
        ("Retention", "auto_delete", "retentions", "gateway.view_retention"),
        ("Kept exchanges", "forum", "exchanges", "gateway.view_exchange"),
    ],
    "Alerts": [
        ("Alerts", "notifications", "alerts", "alerts.view_alert"),
        ("Channels", "campaign", "channels", "alerts.view_channel"),
        ("Delivery log", "outbox", "notifications", "alerts.view_notification"),
    ],
    "Audit": [
        ("Audit entries", "policy", "audit_entries", "security.view_auditentry"),
    ],
    "Sign-in": [
        ("Users", "person", "users", "auth.view_user"),
        ("Groups", "group", "groups", "auth.view_group"),
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
        "link": links.url("overview"),
        # Otherwise it would count as active on every page: their addresses begin with its own.
        "active": False,
    }
    groups = [
        {"title": title, "separator": True, "items": _allowed(request, items)}
        for title, items in _GROUPS.items()
    ]
    return [{"items": [overview]}, *(group for group in groups if group["items"])]


def _allowed(
    request: HttpRequest, items: list[tuple[str, str, str, str]]
) -> list[dict[str, object]]:
    return [
        {"title": title, "icon": icon, "link": links.url(kind)}
        for title, icon, kind, permission in items
        if request.user.has_perm(permission)
    ]
