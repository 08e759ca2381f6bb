"""Reads of the gateway."""

from gateway.queries.exchanges import (
    KeptAnswer,
    KeptExchange,
    exchange_of,
    kept_answer,
    looks_at,
    unexpired_exchanges,
)
from gateway.queries.retention import retention_changes, retention_days, retention_in_force

__all__ = [
    "KeptAnswer",
    "KeptExchange",
    "exchange_of",
    "kept_answer",
    "looks_at",
    "retention_changes",
    "retention_days",
    "retention_in_force",
    "unexpired_exchanges",
]
