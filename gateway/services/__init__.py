"""Writes of the gateway."""

from gateway.key_probe import Probe, Verdict
from gateway.services.exchanges import forget_expired, keep_exchange, look_at_exchange
from gateway.services.failed_settlements import report_failed_settlement
from gateway.services.probe_keys import probe_each, probe_keys, queue_probe
from gateway.services.refused_requests import report_refused_request
from gateway.services.repeated_input import add_repeated_input, forget_repeated_input
from gateway.services.retention import set_retention
from gateway.services.sent_credentials import report_sent_credentials

__all__ = [
    "Probe",
    "Verdict",
    "add_repeated_input",
    "forget_expired",
    "forget_repeated_input",
    "keep_exchange",
    "look_at_exchange",
    "probe_each",
    "probe_keys",
    "queue_probe",
    "report_failed_settlement",
    "report_refused_request",
    "report_sent_credentials",
    "set_retention",
]
