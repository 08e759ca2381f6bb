"""What every rail can be asked, and what its answers mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID


class Capability(StrEnum):
    """What a rail can do. Most do not do all: some collect money and cannot pay a provider."""

    COLLECT = "collect"
    PAY = "pay"
    BALANCE = "balance"
    STATEMENT = "statement"


class Mode(StrEnum):
    """Whether a rail account moves real money."""

    SANDBOX = "sandbox"
    LIVE = "live"


class Outcome(StrEnum):
    """What an answer of a rail says about a payment.

    Only `settled`, `declined` and `refused` are definite. `unknown` says nothing: the payment may
    have been made or not. `absent` is the answer to a search: the rail has no such payment now, but
    may have one later, while a request is under way.
    """

    ACCEPTED = "accepted"
    ACTION = "action"
    SETTLED = "settled"
    DECLINED = "declined"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    ABSENT = "absent"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be paid: `purchase` is the identity that the rail keeps beside the payment."""

    purchase: str
    amount: Decimal
    currency: str
    payee: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a rail says about a payment.

    `code` and `message` are the rail's own words. `is_credited`: the payee shows the money as
    credit. `is_reversed`: a payment that was settled has come back. `action_url`: where the payer
    confirms it. `is_approved`: the payer has agreed, and the rail waits until it is captured.
    `settled_id`: what a refund of it names, if that is another id. `fee`: what the rail took for it
    besides, in the currency of the rail; None: it does not tell. `refunded`: how much of what was
    settled the rail has given back in all; None: it does not tell.
    """

    outcome: Outcome
    vendor_id: str = ""
    amount: Decimal | None = None
    code: str = ""
    message: str = ""
    is_credited: bool = False
    is_reversed: bool = False
    action_url: str = ""
    is_approved: bool = False
    settled_id: str = ""
    fee: Decimal | None = None
    refunded: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class SentPayment:
    """A payment that was sent, for vendors that keep no identity of it.

    `sent_at`: when it was sent first. `taken`: the vendor's ids of other payments. `asked_at`: now.
    """

    amount: Decimal
    vendor_id: str
    sent_at: datetime
    asked_at: datetime
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class StatementLine:
    """A movement on the rail's own account; `amount` is negative if money left it."""

    number: int
    at: datetime
    amount: Decimal
    currency: str
    kind: str
    vendor_id: str


@dataclass(frozen=True, kw_only=True)
class FetchedStatement:
    """The vendor's answers about whole days, as `treasury.rail_statements` reads them. `problem`:
    why there are none, in a sentence."""

    content: bytes = b""
    problem: str = ""


class Rail(Protocol):
    """A rail as the Treasury uses it. Its methods call the network and may last.

    None raises for what the vendor or the network does: that is an answer, too.
    """

    name: str
    currency: str
    scale: int
    is_play_money: bool
    capabilities: frozenset[Capability]
    # How long the vendor knows an idempotency key: after that, the same key is another payment.
    key_life: timedelta

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """What the rail has of a payment: by the vendor's own id if it is known, else by the
        identity that was sent with it, at the moment `since` or later."""

    def problem(self) -> str:
        """Why the vendor does not answer as it should, in a sentence; blank if it does. Reads only,
        and tells whether the secret is accepted."""

    def balance(self) -> Decimal | None:
        """What is on the rail; None if it does not tell."""

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """The movements after the number `after`, oldest first; None if it does not tell."""


class PayingRail(Rail, Protocol):
    """A rail that pays payees (`Capability.PAY`)."""

    def body(self, order: Order) -> str:
        """The request in full, without a call. It is stored, and repeated byte for byte."""

    def pay(self, body: str, *, key: str) -> Answer:
        """Ask for the payment. The same key and body are the same payment."""


@runtime_checkable
class MatchingRail(Protocol):
    """A rail whose vendor keeps neither a key nor an identity of a payment. It is sent once."""

    def match(self, sent: SentPayment) -> Answer:
        """Which of the payments that the vendor has is the one that was sent, and what came of it.
        Never `absent`, since nothing is sent again: what has not arrived was declined."""


@runtime_checkable
class FaucetRail(Protocol):
    """A rail that can be given play money."""

    def drip(self) -> Answer:
        """Ask for play money: *accepted*, or *refused* where money is real."""


@runtime_checkable
class DepositRail(Protocol):
    """A rail that gives addresses on blockchains to which money can be sent."""

    def deposit_address(self, chain: str, *, key: UUID) -> str:
        """An address; empty if the vendor gives none. The same key is the same request."""


@runtime_checkable
class RefundingRail(Protocol):
    """A rail that gives back what it has collected or paid, wholly or in part."""

    def refund_body(self, vendor_id: str, order: Order) -> str:
        """The request that gives money of a payment back, in full, without a call."""

    def refund(self, body: str, *, key: str) -> Answer:
        """Ask for the refund. The same key and body are the same refund."""

    def find_refund(self, purchase: str, *, vendor_id: str, since: datetime | None) -> Answer:
        """What the rail has of a refund, as `Rail.find`."""


@runtime_checkable
class StatementRail(Protocol):
    """A rail whose vendor tells what moved on whole days, and what is on the account."""

    def fetch_statement(self, *, since: date, until: date) -> FetchedStatement:
        """The statement of the UTC days from `since` through `until`, which are over."""


@runtime_checkable
class PayoutRail(Rail, Protocol):
    """A rail that pays out to the organisation's own bank account."""

    # How the vendor names that account; blank if none is set.
    payout_destination: str

    def payout_body(self, order: Order) -> str:
        """The request in full, without a call; the order's payee is the destination."""

    def payout(self, body: str, *, key: str) -> Answer:
        """Ask for the payout. The same key and body are the same payout."""

    def find_payout(self, purchase: str, *, vendor_id: str, since: datetime | None) -> Answer:
        """What the rail has of a payout, as `Rail.find`."""


class CollectingRail(Rail, RefundingRail, Protocol):
    """A rail that collects from a payer (`Capability.COLLECT`)."""

    def collect_body(self, order: Order) -> str:
        """The request in full, without a call; the order's payee is what the payer reads."""

    def collect(self, body: str, *, key: str) -> Answer:
        """Ask the payer for money. The same key and body are the same payment."""

    def capture(self, vendor_id: str, *, key: str) -> Answer:
        """Take what the payer has agreed to (`Answer.is_approved`)."""
