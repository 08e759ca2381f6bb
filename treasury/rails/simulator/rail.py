"""The rail that calls the simulator by HTTP."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import requests

from treasury.rail_statements.fetched import pack
from treasury.rails.base import (
    Answer,
    Capability,
    FetchedStatement,
    Order,
    Outcome,
    StatementLine,
)

_OUTCOMES = {
    "processing": Outcome.ACCEPTED,
    "requires_action": Outcome.ACTION,
    "succeeded": Outcome.SETTLED,
    "reversed": Outcome.SETTLED,
    "failed": Outcome.DECLINED,
}
# Other statuses of 400 to 499 are definite: the vendor has understood and says no.
_NOT_DEFINITE = (408, 409, 429)
_DECLINED = 402
_SILENT = "The simulator does not answer."


class SimulatorRail:
    """Pays with play money. `url` is the address of the simulator, without a path."""

    name = "simulator"
    currency = "USD"
    scale = 2
    is_play_money = True
    capabilities = frozenset({Capability.PAY, Capability.BALANCE, Capability.STATEMENT})
    key_life = timedelta(hours=24)

    def __init__(self, url: str, *, timeout_seconds: float = 10) -> None:
        self._url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds

    def body(self, order: Order) -> str:
        """The request as JSON, with sorted members."""
        return json.dumps(
            {
                "amount": format(order.amount, "f"),
                "currency": order.currency,
                "payee": order.payee,
                "purchase": order.purchase,
            },
            sort_keys=True,
        )

    def pay(self, body: str, *, key: str) -> Answer:
        """See `Rail`."""
        return self._post("/v1/payments", body, key)

    def _post(self, path: str, body: str, key: str) -> Answer:
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        status, answer = self._call("POST", path, data=body.encode(), headers=headers)
        if status is None or status >= 500 or status in _NOT_DEFINITE:
            return Answer(outcome=Outcome.UNKNOWN, code=str(status or "no_answer"))
        if status >= 400 and status != _DECLINED:
            return Answer(outcome=Outcome.REFUSED, code=answer["code"], message=answer["message"])
        return _answer(answer)

    def refund_body(self, vendor_id: str, order: Order) -> str:
        """See `RefundingRail`."""
        asked = {
            "amount": format(order.amount, "f"),
            "payment": vendor_id,
            "refund": order.purchase,
        }
        return json.dumps(asked, sort_keys=True)

    def refund(self, body: str, *, key: str) -> Answer:
        """See `RefundingRail`."""
        return self._post("/v1/refunds", body, key)

    def find_refund(self, purchase: str, *, vendor_id: str, since: datetime | None) -> Answer:
        """See `RefundingRail`."""
        status, answer = self._call("GET", "/v1/refunds", params={"refund": purchase})
        if status != 200:
            return Answer(outcome=Outcome.UNKNOWN, code=str(status or "no_answer"))
        refunds = answer["refunds"]
        return _answer(refunds[0]) if refunds else Answer(outcome=Outcome.ABSENT)

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """See `Rail`."""
        status, answer = self._call("GET", "/v1/payments", params={"purchase": purchase})
        if status != 200:
            return Answer(outcome=Outcome.UNKNOWN, code=str(status or "no_answer"))
        payments = answer["payments"]
        return _answer(payments[0]) if payments else Answer(outcome=Outcome.ABSENT)

    def problem(self) -> str:
        """See `Rail`."""
        return _SILENT if self.balance() is None else ""

    def balance(self) -> Decimal | None:
        """See `Rail`."""
        status, answer = self._call("GET", "/v1/balance")
        return Decimal(answer["available"]) if status == 200 else None

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """See `Rail`."""
        status, answer = self._call("GET", "/v1/statement", params={"after": after})
        if status != 200:
            return None
        return [
            StatementLine(
                number=line["number"],
                at=datetime.fromtimestamp(line["at"], UTC),
                amount=Decimal(line["amount"]),
                currency=line["currency"],
                kind=line["kind"],
                vendor_id=line["payment"],
            )
            for line in answer["lines"]
        ]

    def fetch_statement(self, *, since: date, until: date) -> FetchedStatement:
        """See `StatementRail`. What moves between the lines and the balance is told as a file that
        does not agree with itself; the next time it does."""
        pages: list[bytes] = []
        after, count = 0, 1
        while count:
            status, answer, content = self._exchange(
                "GET", "/v1/statement", params={"after": after}
            )
            if status != 200:
                return FetchedStatement(problem=_SILENT)
            pages.append(content)
            count = len(answer["lines"])
            after = answer["lines"][-1]["number"] if count else after
        status, _, balance = self._exchange("GET", "/v1/balance")
        if status != 200:
            return FetchedStatement(problem=_SILENT)
        return FetchedStatement(
            content=pack(since, until, self.currency, balance=balance, pages=pages)
        )

    def _call(self, method: str, path: str, **options: Any) -> tuple[int | None, dict[str, Any]]:
        """The status and the body; no status if there was no whole answer in JSON."""
        return self._exchange(method, path, **options)[:2]

    def _exchange(
        self, method: str, path: str, **options: Any
    ) -> tuple[int | None, dict[str, Any], bytes]:
        """As `_call`, with the bytes of the body."""
        try:
            response = requests.request(
                method, self._url + path, timeout=self._timeout_seconds, **options
            )
            return response.status_code, response.json(), response.content
        except requests.RequestException:
            return None, {}, b""


def _answer(payment: dict[str, Any]) -> Answer:
    """What a payment or a refund says."""
    return Answer(
        outcome=_OUTCOMES.get(payment["status"], Outcome.UNKNOWN),
        vendor_id=payment["id"],
        amount=Decimal(payment["amount"]),
        code=payment["code"],
        message=payment.get("message", ""),
        is_credited=payment.get("credited", False),
        is_reversed=payment["status"] == "reversed",
        refunded=Decimal(payment["refunded"]) if "refunded" in payment else None,
    )
