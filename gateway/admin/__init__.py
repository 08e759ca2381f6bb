"""The app in the admin: retention is set with a reason; who reads kept exchanges is recorded."""

from gateway.admin.exchange import ExchangeAdmin
from gateway.admin.retention import RetentionAdmin

__all__ = ["ExchangeAdmin", "RetentionAdmin"]
