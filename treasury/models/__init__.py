"""Tables of the ledger (accounts, transfers, closed periods) and of purchases of credit."""

from treasury.models.accounts import Account, AccountKind, NormalSide
from treasury.models.closed_periods import ClosedPeriod
from treasury.models.consumption import Consumption, ConsumptionRun
from treasury.models.payees import Payee, PurchaseMethod
from treasury.models.policies import PurchasePolicy
from treasury.models.purchases import (
    OPEN,
    Purchase,
    PurchaseAttempt,
    PurchaseStatus,
    PurchaseStep,
)
from treasury.models.transfers import Phase, Transfer, TransferKind

__all__ = [
    "OPEN",
    "Account",
    "AccountKind",
    "ClosedPeriod",
    "Consumption",
    "ConsumptionRun",
    "NormalSide",
    "Payee",
    "Phase",
    "Purchase",
    "PurchaseAttempt",
    "PurchaseMethod",
    "PurchasePolicy",
    "PurchaseStatus",
    "PurchaseStep",
    "Transfer",
    "TransferKind",
]
