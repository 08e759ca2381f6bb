"""The look and the sidebar of the admin; `settings.UNFOLD` names these functions."""

from django.http import HttpRequest
from django.templatetags.static import static

from common import links
from dashboard.theme import SYSTEM, theme_of

# Each line: title, icon, page (`common.links`), and the permission to see it.
_GROUPS = {
    "API keys and prices": [
        ("API keys", "key", "keys", "keys.view_apikey"),
        ("Providers", "storefront", "providers", "keys.view_provider"),
        ("Models", "psychology", "models", "keys.view_cataloguemodel"),
        ("Model aliases", "alt_route", "model_aliases", "keys.view_modelalias"),
        ("Model fallbacks", "low_priority", "model_fallbacks", "keys.view_modelfallback"),
        ("Prices", "sell", "prices", "keys.view_price"),
    ],
    "Agents and cost centres": [
        ("Agents", "smart_toy", "managed_agents", "keys.view_agent"),
        ("Cost centres", "account_tree", "centres", "keys.view_costcentre"),
        ("Agent tokens", "badge", "agent_tokens", "keys.view_agenttoken"),
        ("Freezes", "ac_unit", "freezes", "keys.view_freeze"),
    ],
    "Tasks": [
        ("Tasks", "task_alt", "recorded_tasks", "orchestration.view_task"),
        ("Attempts", "replay", "attempts", "orchestration.view_attempt"),
        ("Concurrency limits", "speed", "concurrency_limits", "orchestration.view_concurrency"),
        ("Command agents", "terminal", "commands", "orchestration.view_command"),
    ],
    "Allocations and charges": [
        ("Allocations", "payments", "allocations", "keys.view_allocation"),
        ("Charges", "receipt_long", "recorded_charges", "keys.view_charge"),
        ("Adjustments", "exposure", "adjustments", "keys.view_adjustment"),
        ("Limit windows", "calendar_month", "windows", "keys.view_window"),
        ("Grants", "more_time", "grants", "keys.view_grant"),
        ("Runner slots", "event_seat", "slots", "keys.view_slot"),
    ],
    "Treasury": [
        ("Accounts", "account_balance", "ledger_accounts", "treasury.view_account"),
        ("Transfers", "sync_alt", "ledger_transfers", "treasury.view_transfer"),
        ("Purchases", "shopping_cart", "recorded_purchases", "treasury.view_purchase"),
    ],
    "Recorded exchanges": [
        ("Retention", "auto_delete", "retentions", "gateway.view_retention"),
        ("Exchanges", "forum", "exchanges", "gateway.view_exchange"),
    ],
    "Alerts": [
        ("Alerts", "notifications", "recorded_alerts", "alerts.view_alert"),
        ("Channels", "campaign", "recorded_channels", "alerts.view_channel"),
        ("Delivery log", "outbox", "recorded_notifications", "alerts.view_notification"),
    ],
    "Approvals": [
        ("Approvals", "how_to_reg", "recorded_approvals", "security.view_approval"),
        ("Secrets shown", "visibility", "reveals", "gate.view_reveal"),
        ("Policies", "rule", "approval_policies", "security.view_approvalpolicy"),
    ],
    "Audit": [
        ("Findings", "search_check", "findings", "gate.view_finding"),
        ("Audit entries", "policy", "audit_entries", "security.view_auditentry"),
        ("Audit chain", "link", "seals", "security.view_seal"),
    ],
    "Sign-in": [
        ("Users", "person", "users", "auth.view_user"),
        ("Groups", "group", "groups", "auth.view_group"),
        ("Who may what", "rule", "access", "auth.view_user"),
    ],
}


def mark(request: HttpRequest) -> str:
    """The URL of Butler's logo."""
    return static("dashboard/mark.svg")


def theme(request: HttpRequest) -> str | None:
    """The theme that the person chose for all pages; None follows the system."""
    chosen = theme_of(request)
    return None if chosen == SYSTEM else chosen


def tokens_style(request: HttpRequest) -> str:
    """The URL of the style sheet with the colours of all pages."""
    return static("dashboard/css/tokens.css")


def shared_style(request: HttpRequest) -> str:
    """The URL of the style sheet for usage bars and differences in the audit."""
    return static("dashboard/css/shared.css")


def admin_style(request: HttpRequest) -> str:
    """The URL of the style sheet that the admin gets in addition to its own."""
    return static("dashboard/css/admin.css")


def navigation(request: HttpRequest) -> list[dict[str, object]]:
    """The groups and links of the sidebar that this user has permission to see."""
    overview = {
        "title": "Overview",
        "icon": "dashboard",
        "link": links.url("overview"),
        # Otherwise the link would count as active on every page: all URLs begin with its own.
        "active": False,
    }
    groups = [
        {"title": title, "separator": True, "items": _allowed_items(request, items)}
        for title, items in _GROUPS.items()
    ]
    return [{"items": [overview]}, *(group for group in groups if group["items"])]


def _allowed_items(
    request: HttpRequest, items: list[tuple[str, str, str, str]]
) -> list[dict[str, object]]:
    return [
        {"title": title, "icon": icon, "link": links.url(kind)}
        for title, icon, kind, permission in items
        if request.user.has_perm(permission)
    ]
