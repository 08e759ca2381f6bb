"""Refusals of the app. `butler_site.errors` gives each its status."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from common.refusal import Refusal


@dataclass(kw_only=True, eq=False)
class AccountNotFound(Refusal):
    """The ledger has no account with this name."""

    account: str

    def sentence(self) -> str:
        """What is wrong."""
        return f"The ledger has no account named {self.account}."


@dataclass(kw_only=True, eq=False)
class AccountDiffers(Refusal):
    """There is an account with this name, but with other terms."""

    account: str

    def sentence(self) -> str:
        """What to do instead."""
        return f"There is another account named {self.account}. Choose another name."


@dataclass(eq=False)
class WrongTransfer(Refusal):
    """The transfer cannot be right. Its sentence says what is wrong."""


@dataclass(kw_only=True, eq=False)
class TransferDiffers(Refusal):
    """The idempotency key was already used for another transfer."""

    transfer_id: int
    idempotency_key: str

    def sentence(self) -> str:
        """What to do instead."""
        return (
            f"Transfer {self.transfer_id} has the idempotency key {self.idempotency_key}, but is "
            "another one. Use a new key for a new transfer."
        )


@dataclass(kw_only=True, eq=False)
class AccountOverdrawn(Refusal):
    """More would leave the account than is on it."""

    account: str
    currency: str
    available: Decimal
    needed: Decimal

    def sentence(self) -> str:
        """How much is missing."""
        return (
            f"{self.account} has {self.available:f} {self.currency} available, but "
            f"{self.needed:f} {self.currency} would leave it."
        )


@dataclass(kw_only=True, eq=False)
class PeriodClosed(Refusal):
    """The day belongs to a closed period."""

    through: date

    def sentence(self) -> str:
        """What to do instead."""
        return (
            f"The ledger is closed through {self.through}. Record a correction on a later day that "
            "names the transfer it corrects."
        )


@dataclass(kw_only=True, eq=False)
class TransferEnded(Refusal):
    """The pending transfer was posted, voided or has expired before."""

    transfer_id: int
    phase: str

    def sentence(self) -> str:
        """What it is now."""
        return f"Transfer {self.transfer_id} is not pending any more ({self.phase})."


@dataclass(kw_only=True, eq=False)
class ExceedsPendingTransfer(Refusal):
    """More would be posted than was set aside."""

    transfer_id: int
    pending: Decimal
    amount: Decimal

    def sentence(self) -> str:
        """How much was set aside."""
        return (
            f"Transfer {self.transfer_id} has set {self.pending:f} aside. No more than that can be "
            f"posted, so {self.amount:f} cannot."
        )


@dataclass(kw_only=True, eq=False)
class RailNotFound(Refusal):
    """No rail with this name is set up."""

    rail: str

    def sentence(self) -> str:
        """What to do instead."""
        return f"No rail named {self.rail} is set up. Set it up first, or use another one."


@dataclass(kw_only=True, eq=False)
class RailOff(Refusal):
    """The rail is switched off."""

    rail: str

    def sentence(self) -> str:
        """What to do."""
        return (
            f"The rail {self.rail} is switched off. Ask to switch it on, on its page; a second "
            "person approves it."
        )


@dataclass(eq=False)
class WrongRail(Refusal):
    """The rail cannot be set up so. Its sentence says what is wrong."""


@dataclass(kw_only=True, eq=False)
class WebhookRefused(Refusal):
    """The webhook did not pass its checks."""

    reason: str

    def sentence(self) -> str:
        """Why."""
        return f"The webhook was rejected: {self.reason}"


@dataclass(eq=False)
class WebhookNotFound(Refusal):
    """No rail has this webhook address."""

    def sentence(self) -> str:
        """What is wrong."""
        return "No rail has this webhook address."


@dataclass(eq=False)
class WrongPayee(Refusal):
    """The payee cannot be right. Its sentence says what is wrong."""


@dataclass(eq=False)
class WrongAllowance(Refusal):
    """The allowance of an agent cannot be right. Its sentence says what is wrong."""


@dataclass(eq=False)
class WrongPaymentMessage(Refusal):
    """The 402 or the receipt of a service cannot be read. Its sentence says what is wrong."""


@dataclass(eq=False)
class PaymentNetworkRefused(Refusal):
    """The service asks for money, or on a blockchain, that is not paid with."""


@dataclass(eq=False)
class PaymentNotAllowed(Refusal):
    """The agent has no allowance, or none for this payee."""


@dataclass(kw_only=True, eq=False)
class PaymentLimitReached(Refusal):
    """The payment costs more than the allowance of the agent has left."""

    bound: str
    left: Decimal
    amount: Decimal

    def sentence(self) -> str:
        """How much is left."""
        return (
            f"The allowance has {self.left:f} more {self.bound}, but the payment costs "
            f"{self.amount:f}."
        )


@dataclass(kw_only=True, eq=False)
class PaymentNotFound(Refusal):
    """The agent has no payment with this number."""

    payment_id: int

    def sentence(self) -> str:
        """What is wrong."""
        return f"The agent has no payment {self.payment_id}."


@dataclass(eq=False)
class WrongPolicy(Refusal):
    """The terms of the purchase policy cannot be right. Its sentence says what is wrong."""


@dataclass(eq=False)
class WrongPurchase(Refusal):
    """The purchase cannot be right. Its sentence says what is wrong."""


@dataclass(kw_only=True, eq=False)
class PurchaseNotFound(Refusal):
    """There is no purchase with this number."""

    purchase_id: int

    def sentence(self) -> str:
        """What is wrong."""
        return f"There is no purchase {self.purchase_id}."


@dataclass(kw_only=True, eq=False)
class PurchaseOpen(Refusal):
    """Another purchase of the same credit is open."""

    purchase_id: int

    def sentence(self) -> str:
        """What to do instead."""
        return (
            f"Purchase {self.purchase_id} of the same credit is still open. Wait until it has "
            "ended, or cancel it."
        )


@dataclass(kw_only=True, eq=False)
class PurchaseEnded(Refusal):
    """The purchase is in a state in which this cannot be done."""

    purchase_id: int
    status: str

    def sentence(self) -> str:
        """What it is now."""
        return f"Purchase {self.purchase_id} is {self.status}, so this cannot be done any more."


@dataclass(kw_only=True, eq=False)
class PurchaseBoundReached(Refusal):
    """The purchase costs more than the policy allows now."""

    bound: str
    left: Decimal
    amount: Decimal

    def sentence(self) -> str:
        """How much is left."""
        return (
            f"The policy allows {self.left:f} more {self.bound}, but the purchase costs "
            f"{self.amount:f}."
        )


@dataclass(kw_only=True, eq=False)
class PolicyPaused(Refusal):
    """The purchase policy is paused."""

    reason: str

    def sentence(self) -> str:
        """What to do."""
        return f"The purchase policy is paused: {self.reason} Resume it first."


@dataclass(kw_only=True, eq=False)
class ReceiptNotFound(Refusal):
    """There is no receipt with this number."""

    receipt_id: int

    def sentence(self) -> str:
        """What is wrong."""
        return f"There is no receipt {self.receipt_id}."


@dataclass(eq=False)
class ReceiptUnreadable(Refusal):
    """The file is no receipt. Its sentence says why."""

    field = "file"


@dataclass(kw_only=True, eq=False)
class PayoutNotFound(Refusal):
    """There is no payout with this id."""

    payout_id: int

    def sentence(self) -> str:
        """What is wrong."""
        return f"There is no payout {self.payout_id}."


@dataclass(eq=False)
class WrongPayout(Refusal):
    """The payout cannot be made so. Its sentence says why."""


@dataclass(kw_only=True, eq=False)
class PayoutEnded(Refusal):
    """The payout is not in a status in which this can be done."""

    payout_id: int
    status: str

    def sentence(self) -> str:
        """What it is."""
        return f"Payout {self.payout_id} is {self.status}."


@dataclass(kw_only=True, eq=False)
class RefundNotFound(Refusal):
    """There is no refund with this id."""

    refund_id: int

    def sentence(self) -> str:
        """What is wrong."""
        return f"There is no refund {self.refund_id}."


@dataclass(eq=False)
class WrongRefund(Refusal):
    """The refund cannot be made so. Its sentence says why."""


@dataclass(kw_only=True, eq=False)
class RefundExceeds(Refusal):
    """More would be refunded than is left of what was paid."""

    left: Decimal
    currency: str
    field = "amount"

    def sentence(self) -> str:
        """How much is left."""
        return f"{self.left:.2f} {self.currency} of it can be refunded at most."


@dataclass(kw_only=True, eq=False)
class RefundEnded(Refusal):
    """The refund is not in a status in which this can be done."""

    refund_id: int
    status: str

    def sentence(self) -> str:
        """What it is."""
        return f"Refund {self.refund_id} is {self.status}."


@dataclass(eq=False)
class ReportUnreadable(Refusal):
    """The report of a provider cannot be read. Its sentence says where and why."""


@dataclass(eq=False)
class RailStatementUnreadable(Refusal):
    """The statement of a rail cannot be read or be right. Its sentence says where and why."""


@dataclass(kw_only=True, eq=False)
class RailStatementKnown(Refusal):
    """The same file was imported before."""

    statement_id: int

    def sentence(self) -> str:
        """Which one it is."""
        return f"This file is statement {self.statement_id} already. Nothing was changed."


@dataclass(kw_only=True, eq=False)
class RailStatementOverlaps(Refusal):
    """Another statement of the account has some of the days."""

    statement_id: int
    since: date
    until: date

    def sentence(self) -> str:
        """What to do instead."""
        return (
            f"Statement {self.statement_id} of this account has the days from {self.since} to "
            f"{self.until} already. Export days that no statement has."
        )


@dataclass(eq=False)
class WrongExchangeRate(Refusal):
    """The exchange rates cannot be recorded so. Its sentence says what is wrong."""


@dataclass(eq=False)
class WrongExchange(Refusal):
    """The exchange cannot be recorded so. Its sentence says what is wrong."""


@dataclass(eq=False)
class NothingToReconcile(Refusal):
    """There are no reports of the provider to compare the days with."""


@dataclass(eq=False)
class WrongDifference(Refusal):
    """The difference cannot be settled so. Its sentence says why."""


@dataclass(kw_only=True, eq=False)
class DifferenceSettled(Refusal):
    """The difference is not open any more."""

    difference_id: int
    difference_status: str

    def sentence(self) -> str:
        """What it is."""
        return f"Difference {self.difference_id} is {self.difference_status} already."


@dataclass(eq=False)
class WrongBalanceAccess(Refusal):
    """The balance cannot be read or taken over so. Its sentence says why."""


@dataclass(eq=False)
class WrongReportAccess(Refusal):
    """Reports of the provider cannot be fetched so. Its sentence says why."""


@dataclass(eq=False)
class WrongSpendCap(Refusal):
    """The limit at the provider cannot be set so. Its sentence says why."""


@dataclass(eq=False)
class WrongExpiringCredit(Refusal):
    """The credit that expires cannot be recorded so. Its sentence says why."""
