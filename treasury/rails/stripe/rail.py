"""The rail that calls Stripe."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from treasury.rail_statements.fetched import pack
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
from treasury.rails.stripe.answers import (
    answer_of_error,
    answer_of_intent,
    answer_of_payout,
    answer_of_refund,
    answer_of_session,
)
from treasury.rails.stripe.forms import encode, from_minor_units, minor_units

# The version of the document that the contract tests compare with; Stripe keeps each for good.
VERSION = "2020-08-27"
_INTENTS, _SESSIONS, _REFUNDS = "/v1/payment_intents", "/v1/checkout/sessions", "/v1/refunds"
_PAYOUTS = "/v1/payouts"
_MOVEMENTS, _BALANCE = "/v1/balance_transactions", "/v1/balance"
_PAGE, _PAGES_MAX = 100, 20
_TRIES = 3
# The clocks of Butler and Stripe differ.
_CLOCKS = timedelta(minutes=5)


class StripeRail:
    """Collects by Stripe: with a saved card at once, or by a hosted page where the payer pays."""

    currency = "USD"
    scale = 2
    capabilities = frozenset({Capability.COLLECT, Capability.BALANCE, Capability.STATEMENT})
    # Stripe forgets keys after 24 hours at the earliest.
    key_life = timedelta(hours=24)

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self.is_play_money = connection.mode == Mode.SANDBOX
        self._settings = connection.settings
        self.payout_destination = connection.settings.get("bank_account", "")
        self._http = HttpClient(connection.url, networks=connection.networks)
        self._headers = {
            "Authorization": f"Bearer {connection.secret}",
            "Stripe-Version": VERSION,
        }

    def collect_body(self, order: Order) -> str:
        """The path and, on the next line, the form that is sent."""
        if self._settings.get("payment_method"):
            return _request(_INTENTS, self._saved_card(order))
        return _request(_SESSIONS, self._hosted_page(order))

    def collect(self, body: str, *, key: str) -> Answer:
        """See `CollectingRail`."""
        path, form = body.split("\n", 1)
        read = answer_of_session if path == _SESSIONS else answer_of_intent
        return self._answer(self._post(path, form, key), read)

    def capture(self, vendor_id: str, *, key: str) -> Answer:
        """See `CollectingRail`. Stripe captures by itself, so this reads."""
        return self._read(vendor_id)

    def refund_body(self, vendor_id: str, order: Order) -> str:
        """The path and the form; `vendor_id` is that of the payment intent."""
        fields = {
            "payment_intent": vendor_id,
            "amount": minor_units(order.amount),
            "metadata": {"purchase": order.purchase},
        }
        return _request(_REFUNDS, fields)

    def refund(self, body: str, *, key: str) -> Answer:
        """See `CollectingRail`."""
        path, form = body.split("\n", 1)
        return self._answer(self._post(path, form, key), answer_of_refund)

    def payout_body(self, order: Order) -> str:
        """The path and the form."""
        fields = {
            **_common(order),
            "amount": minor_units(order.amount),
            "currency": order.currency.lower(),
            "destination": order.payee,
        }
        return _request(_PAYOUTS, fields)

    def payout(self, body: str, *, key: str) -> Answer:
        """See `PayoutRail`."""
        path, form = body.split("\n", 1)
        return self._answer(self._post(path, form, key), answer_of_payout)

    def find_payout(self, purchase: str, *, vendor_id: str, since: datetime | None) -> Answer:
        """See `PayoutRail`."""
        if vendor_id:
            return self._answer(self._get(f"{_PAYOUTS}/{quote(vendor_id)}"), answer_of_payout)
        return self._find(_PAYOUTS, purchase, answer_of_payout, since=since)

    def find(self, purchase: str, *, vendor_id: str = "", since: datetime | None = None) -> Answer:
        """See `Rail`. Stripe's search lags, so the list is read."""
        if vendor_id:
            return self._read(vendor_id)
        if self._settings.get("payment_method"):
            return self._find(_INTENTS, purchase, answer_of_intent, since=since)
        return self._find(_SESSIONS, purchase, answer_of_session, since=since)

    def find_refund(self, purchase: str, *, vendor_id: str, since: datetime | None) -> Answer:
        """See `CollectingRail`."""
        if vendor_id:
            return self._answer(self._get(f"{_REFUNDS}/{quote(vendor_id)}"), answer_of_refund)
        return self._find(_REFUNDS, purchase, answer_of_refund, since=since)

    def problem(self) -> str:
        """See `Rail`."""
        reply = self._get(_BALANCE)
        if not reply.is_ok:
            answer = answer_of_error(reply)
            return ": ".join(filter(None, (f"Stripe answers {answer.code}", answer.message)))
        if reply.body.get("livemode") is self.is_play_money:
            return "The key is of the other mode."
        return ""

    def balance(self) -> Decimal | None:
        """See `Rail`: what is available, without what is pending with Stripe."""
        reply = self._get(_BALANCE)
        if not reply.is_ok:
            return None
        cents = [
            each["amount"]
            for each in reply.body["available"]
            if each["currency"].upper() == self.currency
        ]
        return from_minor_units(sum(cents))

    def statement(self, *, after: int) -> Sequence[StatementLine] | None:
        """See `Rail`. The number of a line is its second, so the lines of the second `after` come
        again: their `vendor_id` tells."""
        lines = []
        for page in self._pages(_MOVEMENTS, [("created[gte]", str(after))]):
            if page is None:
                return None
            lines += [_line(each) for each in page]
        return sorted(lines, key=lambda line: (line.number, line.vendor_id))

    def fetch_statement(self, *, since: date, until: date) -> FetchedStatement:
        """See `StatementRail`. Stripe tells the balance of now only, so all movements since then
        are read, too; and again, if the balance has changed while they were read."""
        start = int(datetime.combine(since, time.min, UTC).timestamp())
        query = [
            ("created[gte]", str(start)),
            ("currency", self.currency.lower()),
            ("expand[]", "data.source"),
        ]
        for _ in range(_TRIES):
            before, pages = self._get(_BALANCE), list(self._replies(_MOVEMENTS, query))
            after = self._get(_BALANCE)
            for reply in (before, *pages, after):
                if not reply.is_ok:
                    return FetchedStatement(problem=f"Stripe answers {answer_of_error(reply).code}")
            if pages[-1].body.get("has_more"):
                break
            if before.body == after.body:
                told = [page.content for page in pages]
                content = pack(since, until, self.currency, balance=after.content, pages=told)
                return FetchedStatement(content=content)
        return FetchedStatement(
            problem=f"More than {_PAGE * _PAGES_MAX:,} movements since {since}, or some while they "
            "were read. Begin with a later day, or import a file."
        )

    def _saved_card(self, order: Order) -> dict[str, Any]:
        fields = {
            **_common(order),
            "amount": minor_units(order.amount),
            "currency": order.currency.lower(),
            "description": order.payee,
            "payment_method": self._settings["payment_method"],
            "confirm": True,
            "return_url": self._settings["return_url"],
        }
        if customer := self._settings.get("customer"):
            fields["customer"] = customer
        return fields

    def _hosted_page(self, order: Order) -> dict[str, Any]:
        return {
            **_common(order),
            "mode": "payment",
            "payment_method_types": ["card"],
            "client_reference_id": order.purchase,
            "success_url": self._settings["return_url"],
            "cancel_url": self._settings["return_url"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": minor_units(order.amount),
                        "product_data": {"name": order.payee},
                    },
                }
            ],
            # What the bank takes back later names the payment intent only.
            "payment_intent_data": _common(order),
        }

    def _read(self, vendor_id: str) -> Answer:
        if vendor_id.startswith("cs_"):
            query = [("expand[]", "payment_intent")]
            reply = self._get(f"{_SESSIONS}/{quote(vendor_id)}", query)
            return self._answer(reply, answer_of_session)
        return self._answer(self._get(f"{_INTENTS}/{quote(vendor_id)}"), answer_of_intent)

    def _find(
        self,
        path: str,
        purchase: str,
        read: Callable[[JSON], Answer],
        *,
        since: datetime | None,
    ) -> Answer:
        """The object with this purchase in its metadata. `absent` only if all were read."""
        least = int((since - _CLOCKS).timestamp()) if since else 0
        query = [("created[gte]", str(least))] if path != _SESSIONS else []
        for page in self._pages(path, query):
            if page is None:
                return Answer(outcome=Outcome.UNKNOWN, code="list_not_read")
            for each in page:
                if (each.get("metadata") or {}).get("purchase") == purchase:
                    return read(each)
            # The newest come first.
            if page and page[-1].get("created", least) < least:
                break
        return Answer(outcome=Outcome.ABSENT)

    def _pages(self, path: str, query: list[tuple[str, str]]) -> Iterator[list[JSON] | None]:
        """Pages of a list; None, and nothing after it, where one could not be read."""
        has_more = True
        for reply in self._replies(path, query):
            if not reply.is_ok:
                break
            yield reply.body.get("data", [])
            has_more = bool(reply.body.get("has_more") and reply.body.get("data"))
        if has_more:
            yield None

    def _replies(self, path: str, query: list[tuple[str, str]]) -> Iterator[Reply]:
        """The pages of a list, the newest first, to the last one or one that could not be read."""
        after: list[tuple[str, str]] = []
        for _ in range(_PAGES_MAX):
            reply = self._get(path, [("limit", str(_PAGE)), *query, *after])
            yield reply
            page = reply.body.get("data", [])
            if not reply.is_ok or not reply.body.get("has_more") or not page:
                return
            after = [("starting_after", page[-1]["id"])]

    def _post(self, path: str, form: str, key: str) -> Reply:
        headers = {
            **self._headers,
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key,
        }
        return self._http.send(
            Request(method="POST", path=path, headers=headers, body=form.encode())
        )

    def _get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Reply:
        return self._http.send(Request(method="GET", path=path, headers=self._headers, query=query))

    def _answer(self, reply: Reply, read: Callable[[JSON], Answer]) -> Answer:
        if not reply.is_ok:
            return answer_of_error(reply)
        try:
            return read(reply.body)
        except (KeyError, TypeError):
            return Answer(outcome=Outcome.UNKNOWN, code="answer_not_understood")


def _request(path: str, fields: dict[str, Any]) -> str:
    return f"{path}\n{encode(fields)}"


def _common(order: Order) -> dict[str, Any]:
    return {"metadata": {"purchase": order.purchase}}


def _line(movement: JSON) -> StatementLine:
    return StatementLine(
        number=movement["created"],
        at=datetime.fromtimestamp(movement["created"], UTC),
        amount=from_minor_units(movement["net"]),
        currency=movement["currency"].upper(),
        kind=movement["type"],
        vendor_id=movement["id"],
    )
