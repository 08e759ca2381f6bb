"""Writes of the gateway."""

from gateway.services.exchanges import forget_expired, keep_exchange, look_at_exchange
from gateway.services.retention import set_retention

__all__ = ["forget_expired", "keep_exchange", "look_at_exchange", "set_retention"]
