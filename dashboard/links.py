"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import FilteredPage, Page
from dashboard.spend.dimensions import FILTERS

_FILTERS = {**{name: name for name in FILTERS if name != "key"}, "api_key": "key"}
links.register(
    {
        "overview": Page("dashboard:overview"),
        "agents": Page("dashboard:agents", {"cost_centre": "cost_centre", "status": "status"}),
        "agent": Page("dashboard:agent"),
        "spend": Page("dashboard:spend", {"range": "range", "by": "by", **_FILTERS}),
        "spend_of_centre": FilteredPage("spend", by="cost_centre"),
        "budgets": Page("dashboard:budgets", {"unit": "unit", "period": "period"}),
        "budget": Page("dashboard:budget"),
        "cost_centres": Page("dashboard:cost-centres"),
        "agent_budget": Page("dashboard:agent-budget"),
        "charge": Page("dashboard:charge"),
        "charges": Page(
            "dashboard:charges",
            {
                "settled": "range",
                "settled_from": "since",
                "settled_until": "until",
                "allocation": "allocation",
                "paying_centre": "directly",
                **_FILTERS,
            },
        ),
        "keys": Page("dashboard:keys", {"provider": "provider", "status": "status"}),
        "key": Page("dashboard:key"),
        "alerts": Page("dashboard:alerts", {"stage": "stage", "severity": "severity"}),
        "alert": Page("dashboard:alert"),
        "ask_budget": Page(
            "dashboard:ask-budget",
            {name: name for name in ("scope", "unit", "period", "session", "needed")},
        ),
        "channels": Page("dashboard:channels"),
        "channel": Page("dashboard:channel"),
        "routes": Page("dashboard:routes"),
        "route": Page("dashboard:route"),
        "alert_rules": Page("dashboard:alert-rules"),
        "alert_rule": Page("dashboard:alert-rule"),
        "notifications": Page(
            "dashboard:notifications", {"channel": "channel", "alert": "alert", "status": "status"}
        ),
        "notification": Page("dashboard:notification"),
        "approvals": Page("dashboard:approvals"),
        "approval": Page("dashboard:approval"),
        "gate": Page("dashboard:gate"),
        "tasks": Page(
            "dashboard:tasks",
            {"state": "state", "agent": "agent", "cost_centre": "cost_centre", "words": "q"},
        ),
        "task": Page("dashboard:task"),
        "sub_task": Page("dashboard:sub-task"),
        "access": Page("dashboard:access"),
        "search": Page("dashboard:search"),
        "settings": Page("dashboard:settings"),
        "charge_retention": Page("dashboard:retention", {"month": "month"}),
        "kept_month": FilteredPage("charge_retention", by="month"),
        "people": Page("dashboard:people"),
        "user": Page("dashboard:person"),
        "me": Page("dashboard:me"),
        "access_reviews": Page("dashboard:access-reviews"),
        "access_review": Page("dashboard:access-review", {"open": "open"}),
        "reports": Page("dashboard:reports"),
        "focus_file": Page("dashboard:focus"),
        "books_check": Page("dashboard:books-check"),
        "months": Page("dashboard:month-closes"),
        "month": Page("dashboard:month-close"),
        "statement": Page("dashboard:centre-statement"),
        "statements": Page("dashboard:statements"),
        "signed_statement": Page("dashboard:signed-statement"),
        "report_schedules": Page("dashboard:report-schedules"),
        "report_schedule": Page("dashboard:report-schedule"),
        "cost_shares": Page("dashboard:cost-shares"),
        "save_view": Page("dashboard:save-view"),
        "change_view": Page("dashboard:change-view"),
        "delete_view": Page("dashboard:delete-view"),
        "add_note": Page("dashboard:add-note"),
        "delete_note": Page("dashboard:delete-note"),
        "export_file": Page("dashboard:export-file"),
        "export_content": Page("dashboard:export-content"),
        "treasury": Page("dashboard:treasury"),
        "account": Page("dashboard:account"),
        "purchase": Page("dashboard:purchase"),
        "purchase_policy": Page("dashboard:purchase-policy"),
        "reconciliation": Page(
            "dashboard:reconciliation", {"provider": "provider", "status": "status", "kind": "kind"}
        ),
        "difference": Page("dashboard:difference"),
        "theme": Page("dashboard:theme"),
        "live": Page("dashboard:live", {"page": "page", "row": "row"}),
    }
)
