"""The URLs of the dashboard."""

from django.urls import path

from dashboard.views.access import access
from dashboard.views.access_reviews import access_review, access_reviews
from dashboard.views.agents import agent, agents
from dashboard.views.alert_rules import alert_rule, alert_rules
from dashboard.views.alerts import alert, alerts
from dashboard.views.api_keys import key, keys
from dashboard.views.approvals import approval, approvals, gate
from dashboard.views.books_check import books_check
from dashboard.views.budget_requests import ask_budget
from dashboard.views.budgets import budget, budgets
from dashboard.views.channels import channel, channels
from dashboard.views.charges import charge, charges
from dashboard.views.cost_centres import cost_centres
from dashboard.views.cost_shares import cost_shares
from dashboard.views.date_notes import add_note, delete_note
from dashboard.views.exchange_rates import exchange_rates
from dashboard.views.export_files import export_content, export_file
from dashboard.views.focus import focus
from dashboard.views.forecasts import forecasts
from dashboard.views.import_keys import import_keys
from dashboard.views.import_usage import import_usage
from dashboard.views.key_tests import key_tests
from dashboard.views.live import live
from dashboard.views.me import me
from dashboard.views.money_orders import payout, refund
from dashboard.views.month_closes import month_close, month_closes
from dashboard.views.notifications import notification, notifications
from dashboard.views.overview import overview
from dashboard.views.people import people, person
from dashboard.views.rail_statements import rail_statement, rail_statements
from dashboard.views.rails import collection, rail, rails
from dashboard.views.reconciliation import difference, reconciliation
from dashboard.views.report_schedules import report_schedule, report_schedules
from dashboard.views.reports import reports
from dashboard.views.retention import retention
from dashboard.views.routes import route, routes
from dashboard.views.saved_views import change_view, delete_view, save_view
from dashboard.views.savings import savings
from dashboard.views.search import search
from dashboard.views.settings import settings
from dashboard.views.spend import spend
from dashboard.views.statements import centre_statement, signed_csv, statements
from dashboard.views.tasks import sub_task, task, tasks
from dashboard.views.theme import theme
from dashboard.views.treasury import account, purchase, purchase_policy, receipt, treasury
from dashboard.views.x402 import x402

app_name = "dashboard"
urlpatterns = [
    path("", overview, name="overview"),
    path("access", access, name="access"),
    path("agents", agents, name="agents"),
    path("agents/<slug:slug>", agent, name="agent"),
    path("alerts", alerts, name="alerts"),
    path("alerts/<int:alert_id>", alert, name="alert"),
    path("alerts/channels", channels, name="channels"),
    path("alerts/channels/<slug:pk>", channel, name="channel"),
    path("alerts/rules", alert_rules, name="alert-rules"),
    path("alerts/rules/<int:pk>", alert_rule, name="alert-rule"),
    path("alerts/routes", routes, name="routes"),
    path("alerts/routes/<int:pk>", route, name="route"),
    path("alerts/deliveries", notifications, name="notifications"),
    path("alerts/deliveries/<int:pk>", notification, name="notification"),
    path("approvals", approvals, name="approvals"),
    path("approvals/<int:pk>", approval, name="approval"),
    path("approvals/gates/<int:pk>", gate, name="gate"),
    path("budgets", budgets, name="budgets"),
    path("budgets/<slug:slug>", budget, {"kind": "centre"}, name="budget"),
    path("budgets/agents/<slug:slug>", budget, {"kind": "agent"}, name="agent-budget"),
    path("budget-requests/new", ask_budget, name="ask-budget"),
    path("keys", keys, name="keys"),
    path("import-keys", import_keys, name="import-keys"),
    path("import-usage", import_usage, name="import-usage"),
    path("test-keys", key_tests, name="test-keys"),
    path("keys/<slug:slug>", key, name="key"),
    path("search", search, name="search"),
    path("spend", spend, name="spend"),
    path("charges", charges, name="charges"),
    path("charges/<int:charge_id>", charge, name="charge"),
    path("settings", settings, name="settings"),
    path("settings/retention", retention, name="retention"),
    path("settings/cost-centres", cost_centres, name="cost-centres"),
    path("settings/me", me, name="me"),
    path("settings/people", people, name="people"),
    path("settings/people/<int:pk>", person, name="person"),
    path("settings/reviews", access_reviews, name="access-reviews"),
    path("settings/reviews/<int:pk>", access_review, name="access-review"),
    path("reports", reports, name="reports"),
    path("reports/focus", focus, name="focus"),
    path("reports/books-checks/<int:pk>", books_check, name="books-check"),
    path("reports/months", month_closes, name="month-closes"),
    path("reports/months/<slug:month>", month_close, name="month-close"),
    path("reports/schedules", report_schedules, name="report-schedules"),
    path("reports/schedules/<int:pk>", report_schedule, name="report-schedule"),
    path("reports/shared-costs", cost_shares, name="cost-shares"),
    path("reports/statements", statements, name="statements"),
    path(
        "reports/statements/<slug:month>/<slug:centre>/signed",
        signed_csv,
        name="signed-statement",
    ),
    path(
        "reports/statements/<slug:month>/<slug:centre>",
        centre_statement,
        name="centre-statement",
    ),
    path("reports/views", save_view, name="save-view"),
    path("reports/views/<int:pk>", change_view, name="change-view"),
    path("reports/views/<int:pk>/deletion", delete_view, name="delete-view"),
    path("reports/notes", add_note, name="add-note"),
    path("reports/notes/<int:pk>/deletion", delete_note, name="delete-note"),
    path("reports/files/<int:pk>", export_file, name="export-file"),
    path("reports/files/<int:pk>/content", export_content, name="export-content"),
    path("reports/forecasts", forecasts, name="forecasts"),
    path("savings", savings, name="savings"),
    path("tasks", tasks, name="tasks"),
    path("tasks/<int:pk>", task, name="task"),
    path("tasks/parts/<int:pk>", sub_task, name="sub-task"),
    path("treasury", treasury, name="treasury"),
    path("treasury/accounts/<int:pk>", account, name="account"),
    path("treasury/purchases/<int:pk>", purchase, name="purchase"),
    path("treasury/purchases/<int:pk>/receipts/<int:receipt_id>", receipt, name="receipt"),
    path("treasury/policies/<int:pk>", purchase_policy, name="purchase-policy"),
    path("treasury/x402", x402, name="x402"),
    path("treasury/rails", rails, name="rails"),
    path("treasury/rails/<slug:slug>", rail, name="rail"),
    path("treasury/collections/<int:pk>", collection, name="collection"),
    path("treasury/refunds/<int:pk>", refund, name="refund"),
    path("treasury/payouts/<int:pk>", payout, name="payout"),
    path("treasury/rates", exchange_rates, name="exchange-rates"),
    path("treasury/statements", rail_statements, name="rail-statements"),
    path("treasury/statements/<int:pk>", rail_statement, name="rail-statement"),
    path("treasury/reconciliation", reconciliation, name="reconciliation"),
    path("treasury/reconciliation/<int:pk>", difference, name="difference"),
    path("theme", theme, name="theme"),
    path("live", live, name="live"),
]
