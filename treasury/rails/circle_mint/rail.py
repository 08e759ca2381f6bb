"""The rail that calls Circle Mint."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote
from uuid import UUID

from treasury.rails.base import (
    Answer,
    Capability,
    FetchedStatement,
    Mode,
    Order,
    Outcome,
    StatementLine,
)
from treasury.rails.circle_mint.answers import (
    answer_of_error,
    answer_of_payment,
    answer_of_payout,
)
from treasury.rails.circle_mint.reporting import BALANCES, BUSINESS, fetch_days
from treasury.rails.http import JSON, HttpClient, Reply, Request
from treasury.rails.kinds import Connection

_TRANSFERS, _PAYOUTS = f"{BUSINESS}/transfers", f"{BUSINESS}/payouts"
_DEPOSITS, _ADDRESSES = f"{BUSINESS}/deposits", f"{BUSINESS}/wallets/addresses/deposit"
_PAGE, _PAGES_MAX = 50, 20
_NOT_FOUND = 404


class CircleMintRail:
    """Pays verified blockchain addresses and bank accounts.

    The payee's destination is `transfer:<id of the verified address>`, or
    `payout:<wire, sepa, …>:<id of the bank account>`. A payout to the organisation's own bank
    account is a wire.
    """

    currency = "USD"
    scale = 2
    capabilities = frozenset({Capability.PAY, Capability.BALANCE, Capability.STATEMENT})
    # Circle does not say when it forgets a key, so it is used for a day.
    key_life = timedelta(hours=24)

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self.is_play_money = connection.mode == Mode.SANDBOX
        self.payout_destination = connection.settings.get("bank_account", "")
        self._http = HttpClient(connection.url, networks=connection.networks)
        self._headers = {
            "Authorization": f"Bearer {connection.secret}",
            "Content-Type": "application/json",
        }

    def body(self, order: Order) -> str:
        """The path and, on the next line, the JSON that is sent, with its idempotency key."""
        path, destination = _destination(order.payee)
        return self._request(path, destination, order)

    def _request(self, path: str, destination: JSON, order: Order) -> str:
        sent = {
            "idempotencyKey": order.purchase,
            "destination": destination,
            "amount": {"amount": format(order.amount, "f"), "currency": self.currency},
        }
        return f"{path}\n{json.dumps(sent, sort_keys=True)}"

    def pay(self, body: str, *, key: str) -> Answer:
        """See `PayingRail`. The key is in the body, where Circle wants it."""
        path, sent = body.split("\n", 1)
        if path not in (_TRANSFERS, _PAYOUTS):
            return Answer(
                outcome=Outcome.REFUSED,
                code="wrong_destination",
                message="The payee's destination is neither transfer:… nor payout:…:….",
            )
        return answer_of_payment(self._post(path, sent))

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """See `Rail`. Circle does not look keys up: without its own id, the same key is sent
        again, and Circle repeats what it has."""
        if not vendor_id:
            return Answer(outcome=Outcome.ABSENT)
        reply = self._get(f"{_TRANSFERS}/{quote(vendor_id, safe='')}")
        if reply.status == _NOT_FOUND:
            reply = self._get(f"{_PAYOUTS}/{quote(vendor_id, safe='')}")
        # Circle has named it, so a refusal to read it says nothing about it.
        answer = answer_of_payment(reply)
        if answer.outcome == Outcome.REFUSED:
            return Answer(outcome=Outcome.UNKNOWN, code=answer.code, message=answer.message)
        return answer

    def payout_body(self, order: Order) -> str:
        """The path and the JSON, with its idempotency key."""
        return self._request(_PAYOUTS, {"type": "wire", "id": order.payee}, order)

    def payout(self, body: str, *, key: str) -> Answer:
        """See `PayoutRail`. The key is in the body, where Circle wants it."""
        path, sent = body.split("\n", 1)
        return answer_of_payout(self._post(path, sent))

    def find_payout(self, purchase: str, *, vendor_id: str, since: datetime | None) -> Answer:
        """See `PayoutRail`. Without Circle's own id, the same key is sent again, as in `find`."""
        if not vendor_id:
            return Answer(outcome=Outcome.ABSENT)
        return answer_of_payout(self._get(f"{_PAYOUTS}/{quote(vendor_id, safe='')}"))

    def problem(self) -> str:
        """See `Rail`."""
        reply = self._get(BALANCES)
        if reply.is_ok:
            return ""
        answer = answer_of_error(reply)
        return ": ".join(filter(None, (f"Circle answers {answer.code}", answer.message)))

    def balance(self) -> Decimal | None:
        """See `Rail`: what is available, without what is unsettled."""
        reply = self._get(BALANCES)
        try:
            available = reply.body["data"]["available"] if reply.is_ok else None
            return None if available is None else _sum(available, self.currency)
        except (KeyError, TypeError, ArithmeticError):
            return None

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """See `Rail`. The number of a line is its second, so the lines of the second `after` come
        again: their `vendor_id` tells. What has failed is none."""
        lines: list[StatementLine] = []
        since = datetime.fromtimestamp(after, UTC).isoformat().replace("+00:00", "Z")
        for path, kind, sign in (
            (_TRANSFERS, "transfer", -1),
            (_PAYOUTS, "payout", -1),
            (_DEPOSITS, "deposit", 1),
        ):
            for page in self._pages(path, [("from", since)]):
                if page is None:
                    return None
                complete = [each for each in page if each.get("status") == "complete"]
                lines += [_line(each, kind, sign) for each in complete]
        return sorted(lines, key=lambda line: (line.number, line.vendor_id))

    def fetch_statement(self, *, since: date, until: date) -> FetchedStatement:
        """See `StatementRail`. Days of which something is pending are left for later."""
        return fetch_days(self._get, since=since, until=until, currency=self.currency)

    def deposit_address(self, chain: str, *, key: UUID) -> str:
        """An address on a blockchain to which USDC can be sent; empty if Circle gives none."""
        asked = {"idempotencyKey": str(key), "currency": self.currency, "chain": chain}
        reply = self._post(_ADDRESSES, json.dumps(asked))
        data = reply.body.get("data") if reply.is_ok else None
        address = data.get("address") if isinstance(data, dict) else None
        return address if isinstance(address, str) else ""

    def _pages(self, path: str, query: list[tuple[str, str]]) -> Iterator[list[JSON] | None]:
        """Pages of a list; None, and nothing after it, where one could not be read."""
        after: list[tuple[str, str]] = []
        for _ in range(_PAGES_MAX):
            reply = self._get(path, [("pageSize", str(_PAGE)), *query, *after])
            page = reply.body.get("data") if reply.is_ok else None
            if not isinstance(page, list):
                break
            yield page
            if len(page) < _PAGE:
                return
            after = [("pageAfter", page[-1]["id"])]
        yield None

    def _post(self, path: str, sent: str) -> Reply:
        return self._http.send(
            Request(method="POST", path=path, headers=self._headers, body=sent.encode())
        )

    def _get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Reply:
        return self._http.send(Request(method="GET", path=path, headers=self._headers, query=query))


def _destination(payee: str) -> tuple[str, JSON]:
    match payee.split(":"):
        case ["transfer", address_id]:
            return _TRANSFERS, {"type": "verified_blockchain", "addressId": address_id}
        case ["payout", kind, bank_id]:
            return _PAYOUTS, {"type": kind, "id": bank_id}
    return "", {}


def _sum(available: list[JSON], currency: str) -> Decimal:
    own = [Decimal(each["amount"]) for each in available if each["currency"] == currency]
    return sum(own, Decimal(0))


def _line(movement: JSON, kind: str, sign: int) -> StatementLine:
    at = datetime.fromisoformat(movement["createDate"])
    return StatementLine(
        number=int(at.timestamp()),
        at=at,
        amount=sign * Decimal(movement["amount"]["amount"]),
        currency=movement["amount"]["currency"],
        kind=kind,
        vendor_id=movement["id"],
    )
