"""Every write of the app: raise, snooze and close alerts, channels, notifications."""

from alerts.services.channels import (
    add_channel,
    change_channel,
    change_channel_url,
    disable_channel,
    enable_channel,
    rotate_signing_secret,
    test_channel,
)
from alerts.services.close import (
    acknowledge,
    reopen,
    resolve,
    resolve_by_key,
    withdraw_acknowledgement,
)
from alerts.services.deliver import deliver
from alerts.services.digests import send_due_digests
from alerts.services.escalate import escalate_due
from alerts.services.import_alerts import ForeignAlert, import_alerts
from alerts.services.people import change_notices
from alerts.services.raise_alert import count_again, raise_alert
from alerts.services.retry import retry_due
from alerts.services.routes import (
    RouteTerms,
    add_route,
    change_route,
    disable_route,
    enable_route,
)
from alerts.services.rules import (
    RuleTerms,
    add_rule,
    change_rule,
    disable_rule,
    enable_rule,
    enqueue_rules,
    evaluate_rule,
)
from alerts.services.send_again import send_again
from alerts.services.send_report import ReportNotDelivered, send_report
from alerts.services.snooze import end_due_snoozes, end_snooze, snooze

__all__ = [
    "ForeignAlert",
    "ReportNotDelivered",
    "RouteTerms",
    "RuleTerms",
    "acknowledge",
    "add_channel",
    "add_route",
    "add_rule",
    "change_channel",
    "change_channel_url",
    "change_notices",
    "change_route",
    "change_rule",
    "count_again",
    "deliver",
    "disable_channel",
    "disable_route",
    "disable_rule",
    "enable_channel",
    "enable_route",
    "enable_rule",
    "end_due_snoozes",
    "end_snooze",
    "enqueue_rules",
    "escalate_due",
    "evaluate_rule",
    "import_alerts",
    "raise_alert",
    "reopen",
    "resolve",
    "resolve_by_key",
    "retry_due",
    "rotate_signing_secret",
    "send_again",
    "send_report",
    "send_due_digests",
    "snooze",
    "test_channel",
    "withdraw_acknowledgement",
]
