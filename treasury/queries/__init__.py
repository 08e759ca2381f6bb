"""Every read of the app."""

from treasury.queries.balances import balance
from treasury.queries.ledger_check import ledger_check
from treasury.queries.purchases import due_purchases

__all__ = ["balance", "due_purchases", "ledger_check"]
