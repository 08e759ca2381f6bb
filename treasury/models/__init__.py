"""Tables of the ledger: accounts, transfers, closed periods."""

from treasury.models.accounts import Account, AccountKind, NormalSide
from treasury.models.closed_periods import ClosedPeriod
from treasury.models.transfers import Phase, Transfer, TransferKind

__all__ = [
    "Account",
    "AccountKind",
    "ClosedPeriod",
    "NormalSide",
    "Phase",
    "Transfer",
    "TransferKind",
]
