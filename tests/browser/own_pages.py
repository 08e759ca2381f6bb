"""The pages that tests in a browser walk: of each URL pattern of the dashboard, its addresses.

A new page is added here; a test says so.
"""

OWN_PAGES: dict[str, tuple[str, ...]] = {
    "dashboard:overview": ("/",),
    "dashboard:access": ("/access",),
    "dashboard:agents": (
        "/agents",
        "/agents?act=add",
        "/agents?status=frozen&cost_centre=research",
    ),
    "dashboard:agent": (
        "/agents/ada",
        "/agents/ada?act=token",
        "/agents/ada?act=freeze",
        "/agents/ada?act=move",
    ),
    "dashboard:alerts": ("/alerts", "/alerts?stage=resolved", "/alerts?select=all&kind=key_broken"),
    "dashboard:channels": ("/alerts/channels", "/alerts/channels?act=add"),
    "dashboard:alert-rules": ("/alerts/rules", "/alerts/rules?act=add&kind=spend_spike"),
    "dashboard:routes": ("/alerts/routes", "/alerts/routes?act=add"),
    "dashboard:notifications": ("/alerts/deliveries", "/alerts/deliveries?status=sent"),
    "dashboard:approvals": ("/approvals", "/approvals?act=rule"),
    "dashboard:budgets": ("/budgets", "/budgets?unit=tokens&period=day&sort=-spent"),
    "dashboard:budget": ("/budgets/research", "/budgets/research?act=limit"),
    "dashboard:agent-budget": ("/budgets/agents/ada",),
    "dashboard:ask-budget": ("/budget-requests/new?scope=centre:research",),
    "dashboard:tasks": ("/tasks", "/tasks?state=failed&q=x&sort=-budget"),
    "dashboard:keys": ("/keys", "/keys?idle=1", "/keys?status=broken"),
    "dashboard:import-keys": ("/import-keys",),
    "dashboard:import-usage": ("/import-usage",),
    "dashboard:test-keys": ("/test-keys",),
    "dashboard:key": ("/keys/nvidia-1", "/keys/nvidia-1?act=limit"),
    "dashboard:search": ("/search", "/search?q=nvidia", "/search?q=nothing"),
    "dashboard:spend": (
        "/spend",
        "/spend?by=cost_centre&subgroup=agent",
        "/spend?range=today&by=agent&agent=ada&metric=cost_per_call",
    ),
    "dashboard:charges": ("/charges", "/charges?range=today&agent=ada&sort=-cost"),
    "dashboard:treasury": ("/treasury", "/treasury?act=payee"),
    "dashboard:x402": ("/treasury/x402", "/treasury/x402?act=allow"),
    "dashboard:rails": ("/treasury/rails", "/treasury/rails?act=connect-stripe"),
    "dashboard:forecasts": (
        "/reports/forecasts",
        "/reports/forecasts?act=use",
        "/reports/forecasts?act=share",
        "/reports/forecasts?act=expect",
        "/reports/forecasts?act=auto-freeze",
    ),
    "dashboard:savings": ("/savings", "/savings?act=dismiss", "/savings?act=find"),
    "dashboard:exchange-rates": (
        "/treasury/rates",
        "/treasury/rates?act=import",
        "/treasury/rates?act=record",
    ),
    "dashboard:rail-statements": ("/treasury/statements",),
    "dashboard:reconciliation": (
        "/treasury/reconciliation",
        "/treasury/reconciliation?act=import",
    ),
    "dashboard:settings": ("/settings",),
    "dashboard:people": ("/settings/people", "/settings/people?role=auditor&sort=-last"),
    "dashboard:retention": ("/settings/retention", "/settings/retention?act=keep"),
    "dashboard:cost-centres": (
        "/settings/cost-centres",
        "/settings/cost-centres?act=add",
        "/settings/cost-centres?act=rename-research",
        "/settings/cost-centres?act=close-research",
        "/settings/cost-centres?act=move-research",
    ),
    "dashboard:access-reviews": ("/settings/reviews", "/settings/reviews?act=start"),
    "dashboard:me": ("/settings/me", "/settings/me?act=deputy"),
    "dashboard:reports": ("/reports",),
    "dashboard:books-check": ("/reports/books-checks/1",),
    "dashboard:month-closes": ("/reports/months",),
    "dashboard:month-close": ("/reports/months/2026-10", "/reports/months/2026-10?act=lock"),
    "dashboard:report-schedules": ("/reports/schedules", "/reports/schedules?act=add"),
    "dashboard:statements": ("/reports/statements",),
    "dashboard:cost-shares": ("/reports/shared-costs", "/reports/shared-costs?act=split"),
}
# These answer no page: fragments, files and what is sent from a form.
NO_PAGES = {
    # tests/browser/test_spend.py walks it: its number differs.
    "dashboard:charge",
    # tests/browser/test_people.py walks it, likewise.
    "dashboard:person",
    # tests/browser/test_access_reviews.py walks it, likewise.
    "dashboard:access-review",
    # tests/browser/test_alerts.py walks it, likewise.
    "dashboard:alert",
    # tests/browser/test_channels.py walks them, likewise.
    "dashboard:channel",
    "dashboard:notification",
    "dashboard:route",
    "dashboard:alert-rule",
    # tests/browser/test_approvals.py walks them: their numbers differ.
    "dashboard:approval",
    "dashboard:gate",
    # tests/browser/test_tasks.py walks them, likewise.
    "dashboard:task",
    "dashboard:sub-task",
    # It needs a closed month: tests/dashboard/test_statements.py.
    "dashboard:centre-statement",
    "dashboard:signed-statement",
    # Its number differs: tests/dashboard/test_report_schedules.py.
    "dashboard:report-schedule",
    # tests/browser/test_treasury.py walks them, likewise.
    "dashboard:account",
    "dashboard:purchase",
    "dashboard:receipt",
    "dashboard:rail",
    "dashboard:collection",
    "dashboard:refund",
    # Its number differs: tests/treasury/test_payouts.py.
    "dashboard:payout",
    # Its number differs: tests/dashboard/test_reconciliation.py.
    "dashboard:difference",
    # Its number differs: tests/dashboard/test_rail_statements.py.
    "dashboard:rail-statement",
    "dashboard:purchase-policy",
    "dashboard:live",
    "dashboard:theme",
    "dashboard:save-view",
    "dashboard:change-view",
    "dashboard:delete-view",
    "dashboard:add-note",
    "dashboard:delete-note",
    "dashboard:export-content",
    "dashboard:focus",
    # tests/browser/test_reports.py walks it while its file is made.
    "dashboard:export-file",
}
# Pages of others that use the frame or its styles.
OTHER_PAGES = ("/nowhere", "/account/sessions/", "/account/second-factor/")
SIGNED_OUT_PAGES = ("/admin/login/",)


def addresses() -> list[str]:
    """Every address to walk as a person who is signed in."""
    return [*(path for paths in OWN_PAGES.values() for path in paths), *OTHER_PAGES]
