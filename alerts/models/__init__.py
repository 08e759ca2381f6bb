"""Tables of the app: alerts, channels and their secrets, routes, rules, and notifications."""

from alerts.models.alert import Alert
from alerts.models.channel import Channel
from alerts.models.notification import Notification
from alerts.models.route import DigestItem, Escalation, EscalationStep, Route, RouteRecipient
from alerts.models.rule import AlertRule, RuleIncident
from alerts.models.signing_secret import SigningSecret
from alerts.severity import Severity

__all__ = [
    "Alert",
    "AlertRule",
    "Channel",
    "DigestItem",
    "Escalation",
    "EscalationStep",
    "Notification",
    "Route",
    "RouteRecipient",
    "RuleIncident",
    "Severity",
    "SigningSecret",
]
