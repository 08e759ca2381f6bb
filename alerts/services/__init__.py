"""Every write of the app: raise and close alerts, manage channels, deliver notifications."""

from alerts.services.channels import (
    add_channel,
    change_channel,
    change_channel_url,
    disable_channel,
    enable_channel,
    test_channel,
)
from alerts.services.close import acknowledge, resolve, resolve_by_key
from alerts.services.deliver import deliver
from alerts.services.import_alerts import ForeignAlert, import_alerts
from alerts.services.raise_alert import count_again, raise_alert
from alerts.services.retry import retry_due

__all__ = [
    "ForeignAlert",
    "acknowledge",
    "add_channel",
    "change_channel",
    "change_channel_url",
    "count_again",
    "deliver",
    "disable_channel",
    "enable_channel",
    "import_alerts",
    "raise_alert",
    "resolve",
    "resolve_by_key",
    "retry_due",
    "test_channel",
]
