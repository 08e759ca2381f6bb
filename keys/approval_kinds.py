"""The kinds of approvals of this app, registered where their changes are made."""

from keys.books.services.retention import CHARGE_RETENTION
from keys.limits.services.propose_limit import LIMIT
from keys.supply.services.propose_price import PRICE

__all__ = ["CHARGE_RETENTION", "LIMIT", "PRICE"]
