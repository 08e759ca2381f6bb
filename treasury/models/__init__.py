"""Tables of the ledger, of rails, of purchases of credit, and of reconciliation with bills."""

from treasury.models.accounts import Account, AccountKind, NormalSide
from treasury.models.balances import BalanceAccess, BalanceSnapshot, ExpiringCredit
from treasury.models.closed_periods import ClosedPeriod
from treasury.models.collections import Collection, CollectionStatus
from treasury.models.consumption import Consumption, ConsumptionRun
from treasury.models.exchange_rates import ExchangeRate, RateSource
from treasury.models.payees import Payee, PurchaseMethod
from treasury.models.payments import ENDED, MoneyOrder, Payment, PaymentStatus
from treasury.models.payouts import PAYOUT_APPROVAL_ABOVE, Payout, PayoutStatus
from treasury.models.policies import PurchasePolicy
from treasury.models.provider_reports import ProviderReport, ReportLine
from treasury.models.purchases import (
    OPEN,
    Purchase,
    PurchaseAttempt,
    PurchaseStatus,
    PurchaseStep,
)
from treasury.models.rail_accounts import RailAccount, RailMode
from treasury.models.rail_events import EventStatus, RailEvent, RejectedWebhooks
from treasury.models.rail_statements import RailMatch, RailStatement, RailStatementLine
from treasury.models.receipts import PurchaseReceipt
from treasury.models.reconciliations import (
    ALONE_MAX,
    Difference,
    DifferenceStatus,
    ProviderName,
    ReconciliationRun,
)
from treasury.models.refund_triggers import COLLECTION_APPROVAL_ABOVE
from treasury.models.refunds import Refund, RefundSource, RefundStatus
from treasury.models.reloads import ReloadEvidence, ReloadSource
from treasury.models.report_access import ReportAccess, ReportDay
from treasury.models.spend_caps import SpendCap
from treasury.models.transfers import Phase, Transfer, TransferKind
from treasury.models.x402 import X402Allowance, X402Payment, X402Status

__all__ = [
    "ALONE_MAX",
    "COLLECTION_APPROVAL_ABOVE",
    "ENDED",
    "OPEN",
    "PAYOUT_APPROVAL_ABOVE",
    "Account",
    "AccountKind",
    "BalanceAccess",
    "BalanceSnapshot",
    "ClosedPeriod",
    "Collection",
    "CollectionStatus",
    "Consumption",
    "ConsumptionRun",
    "Difference",
    "DifferenceStatus",
    "EventStatus",
    "ExchangeRate",
    "ExpiringCredit",
    "MoneyOrder",
    "NormalSide",
    "Payee",
    "Payment",
    "PaymentStatus",
    "Payout",
    "PayoutStatus",
    "Phase",
    "ProviderName",
    "ProviderReport",
    "Purchase",
    "PurchaseAttempt",
    "PurchaseMethod",
    "PurchasePolicy",
    "PurchaseReceipt",
    "PurchaseStatus",
    "PurchaseStep",
    "RailAccount",
    "RailEvent",
    "RailMatch",
    "RailMode",
    "RailStatement",
    "RailStatementLine",
    "RateSource",
    "ReconciliationRun",
    "Refund",
    "RefundSource",
    "RefundStatus",
    "RejectedWebhooks",
    "ReloadEvidence",
    "ReloadSource",
    "ReportAccess",
    "ReportDay",
    "ReportLine",
    "SpendCap",
    "Transfer",
    "TransferKind",
    "X402Allowance",
    "X402Payment",
    "X402Status",
]
