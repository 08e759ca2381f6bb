"""The rail that calls PayPal."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from treasury.rails.base import (
    Answer,
    Capability,
    FetchedStatement,
    Mode,
    Order,
    Outcome,
    StatementLine,
)
from treasury.rails.http import JSON, HttpClient, Reply, Request
from treasury.rails.kinds import Connection
from treasury.rails.paypal.answers import answer_of_error, answer_of_order, answer_of_refund
from treasury.rails.paypal.reporting import Query, fetch_days
from treasury.rails.paypal.token import AccessToken

_ORDERS, _CAPTURES, _REFUNDS = (
    "/v2/checkout/orders",
    "/v2/payments/captures",
    "/v2/payments/refunds",
)
_UNAUTHORIZED = 401


class PayPalRail:
    """Collects by PayPal's orders: made, agreed to by the payer, captured."""

    currency = "USD"
    scale = 2
    capabilities = frozenset({Capability.COLLECT, Capability.STATEMENT})
    # PayPal keeps request ids of orders for six hours.
    key_life = timedelta(hours=6)

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self.is_play_money = connection.mode == Mode.SANDBOX
        self._settings = connection.settings
        self._http = HttpClient(connection.url, networks=connection.networks)
        self._token = AccessToken(connection, self._http)

    def collect_body(self, order: Order) -> str:
        """The path and, on the next line, the JSON that is sent."""
        return _request(
            _ORDERS,
            {
                "intent": "CAPTURE",
                "purchase_units": [
                    {
                        "custom_id": order.purchase,
                        "description": order.payee[:127],
                        "amount": _money(order),
                    }
                ],
                "payment_source": {
                    "paypal": {
                        "experience_context": {
                            "return_url": self._settings["return_url"],
                            "cancel_url": self._settings["return_url"],
                            "shipping_preference": "NO_SHIPPING",
                            "user_action": "PAY_NOW",
                        }
                    }
                },
            },
        )

    def collect(self, body: str, *, key: str) -> Answer:
        """See `CollectingRail`."""
        return self._post(body, key=key, read=answer_of_order)

    def capture(self, vendor_id: str, *, key: str) -> Answer:
        """See `CollectingRail`. Its key is derived from that of the order, so it is always the same
        capture; what it leaves open is read from the order."""
        body = f"{_ORDERS}/{quote(vendor_id)}/capture\n{{}}"
        answer = self._post(body, key=f"{key}-capture", read=answer_of_order)
        if answer.outcome == Outcome.UNKNOWN:
            return self.find("", vendor_id=vendor_id)
        return answer

    def refund_body(self, vendor_id: str, order: Order) -> str:
        """The path and the JSON; `vendor_id` is that of the capture."""
        path = f"{_CAPTURES}/{quote(vendor_id)}/refund"
        return _request(path, {"amount": _money(order), "custom_id": order.purchase})

    def refund(self, body: str, *, key: str) -> Answer:
        """See `CollectingRail`."""
        return self._post(body, key=key, read=answer_of_refund)

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """See `Rail`. PayPal lists no orders: without an id, the same request is sent again."""
        if not vendor_id:
            return Answer(outcome=Outcome.ABSENT)
        return self._get(f"{_ORDERS}/{quote(vendor_id)}", read=answer_of_order)

    def find_refund(self, purchase: str, *, vendor_id: str, since: datetime | None) -> Answer:
        """See `CollectingRail`."""
        if not vendor_id:
            return Answer(outcome=Outcome.ABSENT)
        return self._get(f"{_REFUNDS}/{quote(vendor_id)}", read=answer_of_refund)

    def problem(self) -> str:
        """See `Rail`: whether PayPal takes the client id and the secret."""
        self._token.forget()
        token, reply = self._token.get()
        if token or reply is None:
            return ""
        answer = answer_of_error(reply)
        return ": ".join(filter(None, (f"PayPal answers {answer.code}", answer.message)))

    def balance(self) -> Decimal | None:
        """See `Rail`. PayPal's reports are up to three hours late, so they do not tell it."""
        return None

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """See `Rail`. PayPal's movements have no numbers: they come as whole days."""
        return None

    def fetch_statement(self, *, since: date, until: date) -> FetchedStatement:
        """See `StatementRail`."""
        return fetch_days(self._report, since=since, until=until, currency=self.currency)

    def _report(self, path: str, query: Query) -> Reply:
        return self._reply(Request(method="GET", path=path, query=query))

    def _post(self, body: str, *, key: str, read: Callable[[JSON], Answer]) -> Answer:
        path, content = body.split("\n", 1)
        headers = {
            "Content-Type": "application/json",
            "PayPal-Request-Id": key,
            "Prefer": "return=representation",
        }
        request = Request(method="POST", path=path, headers=headers, body=content.encode())
        return self._send(request, read)

    def _get(self, path: str, *, read: Callable[[JSON], Answer]) -> Answer:
        return self._send(Request(method="GET", path=path), read)

    def _send(self, request: Request, read: Callable[[JSON], Answer]) -> Answer:
        reply = self._reply(request)
        if not reply.is_ok:
            return answer_of_error(reply)
        try:
            return read(reply.body)
        except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError):
            return Answer(outcome=Outcome.UNKNOWN, code="answer_not_understood")

    def _reply(self, request: Request) -> Reply:
        reply = self._authorized(request)
        if reply.status == _UNAUTHORIZED:
            # The token was revoked early. Nothing was done, so the same is sent with another.
            self._token.forget()
            reply = self._authorized(request)
        return reply

    def _authorized(self, request: Request) -> Reply:
        token, refused = self._token.get()
        if refused is not None:
            # The request itself has not left.
            return (
                refused if refused.is_definite_refusal else Reply(status=None, problem="no_token")
            )
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        return self._http.send(replace(request, headers=headers))


def _request(path: str, body: JSON) -> str:
    return f"{path}\n{json.dumps(body, sort_keys=True)}"


def _money(order: Order) -> JSON:
    return {"currency_code": order.currency, "value": f"{order.amount:.2f}"}
