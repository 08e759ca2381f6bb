"""Stripe as the rail uses it: keys, replay, declines, 3-D Secure, pages, refunds, disputes."""

import hmac
import json
from hashlib import sha256
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from tests.treasury.contracts.documents import Sent, document, nested
from tests.treasury.contracts.fake_vendor import FakeVendor, Reply

_JSON = dict[str, Any]
_NOT_FOUND = (404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}})


class FakeStripe(FakeVendor):
    """Cards: `pm_card_visa` pays, `pm_card_chargeDeclined` declines, `pm_card_threeDSecure`
    asks the payer, `pm_card_pending` takes its time."""

    def __init__(self, secret: str = "sk_test_fake") -> None:  # noqa: S107 - of the fake
        super().__init__(document("stripe"))
        self.secret = secret
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.objects: dict[str, _JSON] = {}
        self.keys: dict[str, tuple[str, bytes, Reply]] = {}
        self.cents = 10_000
        # What it takes of each charge, and the second before the first object.
        self.fee_cents, self.began = 0, 1_800_000_000
        self.lines: list[_JSON] = []
        self.faults.clear()
        self._numbers = count(1)

    def answer(self, sent: Sent) -> Reply:
        """As Stripe: the key first, then the object."""
        if sent.headers.get("Authorization") != f"Bearer {self.secret}":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}}
        if sent.method == "GET":
            return self._get(sent)
        key = sent.headers["Idempotency-Key"]
        if key in self.keys:
            path, body, reply = self.keys[key]
            if (path, body) != (sent.path, sent.body):
                return 400, {
                    "error": {"type": "idempotency_error", "message": "Keys are for one request."}
                }
            return reply
        reply = self._post(sent)
        self.keys[key] = sent.path, sent.body, reply
        return reply

    def _post(self, sent: Sent) -> Reply:
        asked = nested(parse_qsl(sent.body.decode()))
        match sent.path:
            case "/v1/payment_intents":
                return self._intent(asked, card=asked["payment_method"])
            case "/v1/checkout/sessions":
                return 200, self._session(asked)
            case "/v1/refunds":
                return self._refund(asked)
            case "/v1/payouts":
                return self._payout(asked)
        return _NOT_FOUND

    def _get(self, sent: Sent) -> Reply:
        match sent.path.split("/")[2:]:
            case ["balance"]:
                available = [{"amount": self.cents, "currency": "usd", "source_types": {}}]
                balance = {"object": "balance", "available": available, "pending": []}
                return 200, {**balance, "livemode": False}
            case ["balance_transactions"]:
                return self._movements(sent)
            case ["payment_intents" | "refunds" | "payouts" as kind]:
                prefixes = {"payment_intents": "pi", "refunds": "re", "payouts": "po"}
                return self._list(prefixes[kind], sent)
            case ["checkout", "sessions"]:
                return self._list("cs", sent)
            case [*_, each] if each in self.objects:
                return 200, self._expanded(self.objects[each], sent)
        return _NOT_FOUND

    def _list(self, prefix: str, sent: Sent) -> Reply:
        return self._page([v for k, v in self.objects.items() if k.startswith(f"{prefix}_")], sent)

    def _movements(self, sent: Sent) -> Reply:
        asked = nested(parse_qsl(sent.query))
        since = int(asked.get("created", {}).get("gte", 0))
        lines = [each for each in self.lines if each["created"] >= since]
        if "expand" not in asked:
            lines = [each | {"source": each["source"]["id"]} for each in lines]
        return self._page(lines, sent)

    def _page(self, found: list[_JSON], sent: Sent) -> Reply:
        """The newest first, in pages of two so that there are some."""
        found = found[::-1]
        if after := dict(parse_qsl(sent.query)).get("starting_after"):
            found = found[[each["id"] for each in found].index(after) + 1 :]
        return 200, {"object": "list", "data": found[:2], "has_more": len(found) > 2}

    def _expanded(self, each: _JSON, sent: Sent) -> _JSON:
        if "expand" not in sent.query or not each.get("payment_intent"):
            return each
        return each | {"payment_intent": self.objects[each["payment_intent"]]}

    def _intent(self, asked: _JSON, *, card: str) -> Reply:
        intent = self._add("pi", asked) | {
            "object": "payment_intent",
            "amount": int(asked["amount"]),
            "amount_received": 0,
            "currency": "usd",
            "charges": {"data": []},
            "status": "requires_payment_method",
            "next_action": None,
        }
        self.objects[intent["id"]] = intent
        if card == "pm_card_chargeDeclined":
            error = {
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "insufficient_funds",
                "message": "Your card has insufficient funds.",
                "payment_intent": intent,
            }
            return 402, {"error": error}
        if card == "pm_card_threeDSecure":
            redirect = {"redirect_to_url": {"url": "https://hooks.stripe.com/3d"}}
            intent |= {"status": "requires_action", "next_action": redirect}
        elif card == "pm_card_pending":
            intent["status"] = "processing"
        else:
            self.succeed(intent["id"])
        self.objects[intent["id"]] = intent
        return 200, intent

    def _session(self, asked: _JSON) -> _JSON:
        item = asked["line_items"]["0"]["price_data"]
        session = self._add("cs", asked) | {
            "object": "checkout.session",
            "amount_total": int(item["unit_amount"]),
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "url": "https://checkout.stripe.com/c/pay/cs",
        }
        self.objects[session["id"]] = session
        return session

    def _refund(self, asked: _JSON) -> Reply:
        intent = self.objects[asked["payment_intent"]]
        given_back = sum(
            each["amount"]
            for each in self.objects.values()
            if each.get("payment_intent") == intent["id"] and each["object"] == "refund"
        )
        if given_back + int(asked["amount"]) > intent["amount_received"]:
            message = "Refund amount is greater than unrefunded amount on charge"
            return 400, {"error": {"type": "invalid_request_error", "message": message}}
        refund = self._add("re", asked) | {
            "object": "refund",
            "amount": int(asked["amount"]),
            "payment_intent": intent["id"],
            "status": "succeeded",
        }
        self.objects[refund["id"]] = refund
        intent["charges"]["data"][0]["amount_refunded"] = given_back + refund["amount"]
        self.move(-refund["amount"], "refund", source=refund)
        return 200, refund

    def _payout(self, asked: _JSON) -> Reply:
        if int(asked["amount"]) > self.cents:
            message = "You have insufficient funds in your Stripe account."
            error = {"type": "invalid_request_error", "code": "balance_insufficient"}
            return 400, {"error": error | {"message": message}}
        payout = self._add("po", asked) | {
            "object": "payout",
            "amount": int(asked["amount"]),
            "destination": asked["destination"],
            "status": "pending",
        }
        self.objects[payout["id"]] = payout
        self.move(-payout["amount"], "payout", source=payout)
        return 200, payout

    def arrive(self, payout_id: str) -> None:
        """The bank has it."""
        self.objects[payout_id]["status"] = "paid"

    def send_back(self, payout_id: str) -> None:
        """The bank sends it back, even after it was paid."""
        payout = self.objects[payout_id]
        payout |= {"status": "failed", "failure_code": "account_closed"}
        self.move(payout["amount"], "payout_failure", source=payout)

    def succeed(self, intent_id: str) -> None:
        """The bank has paid."""
        intent = self.objects[intent_id]
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "next_action": None}
        intent["charges"] = {
            "data": [{"id": f"ch_{intent_id}", "disputed": False, "amount_refunded": 0}]
        }
        charge = {"id": f"ch_{intent_id}", "object": "charge", "payment_intent": intent_id}
        self.move(intent["amount"], "charge", source=charge, fee=self.fee_cents)

    def give_back(self, intent_id: str, cents: int) -> None:
        """Somebody refunds it in Stripe's dashboard."""
        self._refund({"payment_intent": intent_id, "amount": str(cents)})

    def dispute(self, intent_id: str) -> None:
        """The payer's bank takes it back."""
        self.objects[intent_id]["charges"]["data"][0]["disputed"] = True

    def pay_page(self, session_id: str) -> None:
        """The payer enters a card on the hosted page."""
        session = self.objects[session_id]
        asked = {"amount": session["amount_total"], "metadata": session["metadata"]}
        _, intent = self._intent(asked, card="pm_card_visa")
        session |= {"status": "complete", "payment_status": "paid", "payment_intent": intent["id"]}

    def _add(self, prefix: str, asked: _JSON) -> _JSON:
        number = next(self._numbers)
        return {
            "id": f"{prefix}_{number}",
            "created": self.began + number,
            "metadata": asked.get("metadata", {}),
        }

    def move(self, cents: int, kind: str, *, source: _JSON, fee: int = 0) -> None:
        """Something moves on the balance, of which Stripe takes a fee."""
        self.cents += cents - fee
        number = len(self.lines) + 1
        details = {"amount": fee, "currency": "usd", "type": "stripe_fee"}
        self.lines.append(
            {
                "id": f"txn_{number}",
                "object": "balance_transaction",
                "created": self.began + number,
                "amount": cents,
                "fee": fee,
                "fee_details": [details | {"description": "Stripe processing fees"}] if fee else [],
                "net": cents - fee,
                "currency": "usd",
                "type": kind,
                "source": source,
            }
        )


def signed(body: bytes, *, secret: str, at: float) -> dict[str, str]:
    """The header of a webhook that Stripe sent at this second."""
    text = f"{int(at)}.".encode() + body
    signature = hmac.new(secret.encode(), text, sha256).hexdigest()
    return {"Stripe-Signature": f"t={int(at)},v1={signature}"}


def event(event_id: str, about: _JSON, *, kind: str = "payment_intent.succeeded") -> bytes:
    """The body of a webhook about an object."""
    return json.dumps(
        {"id": event_id, "object": "event", "type": kind, "data": {"object": about}}
    ).encode()
