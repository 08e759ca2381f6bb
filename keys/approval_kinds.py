"""The kinds of approvals of this app, registered where their changes are made."""

from keys.limits.services.propose_limit import LIMIT
from keys.supply.services.propose_price import PRICE

__all__ = ["LIMIT", "PRICE"]
