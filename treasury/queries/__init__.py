"""Every read of the app."""

from treasury.queries.balances import balance
from treasury.queries.ledger_check import ledger_check

__all__ = ["balance", "ledger_check"]
