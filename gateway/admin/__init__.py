"""The app in the admin: retention is set with a reason; who reads kept exchanges is noted."""

from gateway.admin.exchange import ExchangeAdmin
from gateway.admin.exchange_look import ExchangeLookAdmin
from gateway.admin.retention import RetentionAdmin

__all__ = ["ExchangeAdmin", "ExchangeLookAdmin", "RetentionAdmin"]
