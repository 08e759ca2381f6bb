"""PayPal as the rail uses it: tokens, orders, captures, refunds, and signed webhooks."""

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.moments import NOON
from tests.treasury.contracts.documents import Sent, document
from tests.treasury.contracts.fake_vendor import FakeVendor, Reply

_JSON = dict[str, Any]
CERT_URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1"


class FakePayPal(FakeVendor):
    """Payers: `agree` is what one does on PayPal's page. A capture can be declined or pending."""

    def __init__(self) -> None:
        super().__init__(document("paypal"))
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.orders: dict[str, _JSON] = {}
        self.refunds: dict[str, _JSON] = {}
        self.keys: dict[tuple[str, str], tuple[bytes, Reply]] = {}
        self.tokens = {"none"}
        self.capture_status = "COMPLETED"
        # What has moved, the most of a page, the fee of a capture, and the moment of the next one.
        self.lines: list[_JSON] = []
        self.page_size, self.fee, self.at = 500, "", NOON
        # What PayPal knows all of, and what it tells of its reports beside that.
        self.refreshed_at = NOON + timedelta(days=9)
        self.told: _JSON = {}
        self.faults.clear()
        self.read_faults.clear()
        self.sent.clear()
        self._numbers = count(1)

    def is_documented(self, sent: Sent) -> bool:
        """Tokens and refunds are in other documents."""
        return sent.path.startswith("/v2/checkout/orders")

    def answer(self, sent: Sent) -> Reply:
        """As PayPal: the token, the request id, then the order."""
        if sent.path == "/v1/oauth2/token":
            return self._token(sent)
        if sent.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {"error": "invalid_token", "error_description": "Token signature failed"}
        if sent.path.startswith("/v1/reporting/"):
            return self._report(sent)
        if sent.method == "GET":
            found = {**self.orders, **self.refunds}.get(sent.path.split("/")[-1])
            return (200, found) if found else _problem(404, "RESOURCE_NOT_FOUND")
        place = sent.path, sent.headers["PayPal-Request-Id"]
        if place in self.keys:
            body, reply = self.keys[place]
            return reply if body == sent.body else _problem(422, "DUPLICATE_REQUEST_ID")
        reply = self._post(sent)
        self.keys[place] = sent.body, reply
        return reply

    def _token(self, sent: Sent) -> Reply:
        client = base64.b64decode(sent.headers["Authorization"].removeprefix("Basic ")).decode()
        if client != "client:secret":
            return 401, {
                "error": "invalid_client",
                "error_description": "Client Authentication failed",
            }
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 32_400}

    def _post(self, sent: Sent) -> Reply:
        match sent.path.split("/")[2:]:
            case ["checkout", "orders"]:
                return 200, self._order(json.loads(sent.body))
            case ["checkout", "orders", order_id, "capture"]:
                return self._capture(self.orders[order_id])
            case ["payments", "captures", capture_id, "refund"]:
                return self._refund(capture_id, json.loads(sent.body))
        return _problem(404, "RESOURCE_NOT_FOUND")

    def _order(self, asked: _JSON) -> _JSON:
        order_id = f"ORDER-{next(self._numbers)}"
        order = {
            "id": order_id,
            "status": "PAYER_ACTION_REQUIRED",
            "purchase_units": asked["purchase_units"],
            "links": [
                {"rel": "self", "href": f"https://api-m.sandbox.paypal.com/v2/{order_id}"},
                {
                    "rel": "payer-action",
                    "href": f"https://www.sandbox.paypal.com/checkoutnow?token={order_id}",
                },
            ],
        }
        self.orders[order_id] = order
        return order

    def _capture(self, order: _JSON) -> Reply:
        if order["status"] != "APPROVED":
            return _problem(422, "ORDER_NOT_APPROVED")
        if self.capture_status == "INSTRUMENT_DECLINED":
            return _problem(422, "INSTRUMENT_DECLINED")
        unit = order["purchase_units"][0]
        capture = {
            "id": f"CAPTURE-{next(self._numbers)}",
            "status": self.capture_status,
            "amount": unit["amount"],
            "custom_id": unit["custom_id"],
        }
        if self.fee:
            fee = {**unit["amount"], "value": self.fee}
            capture["seller_receivable_breakdown"] = {"paypal_fee": fee}
        if self.capture_status == "COMPLETED":
            self.move(
                unit["amount"]["value"],
                name=capture["id"],
                fee=f"-{self.fee}" if self.fee else "",
                custom_field=unit["custom_id"],
            )
        unit["payments"] = {"captures": [capture]}
        order["status"] = "COMPLETED"
        return 201, order

    def _refund(self, capture_id: str, asked: _JSON) -> Reply:
        payments, capture = next(
            (payments, each)
            for order in self.orders.values()
            for payments in [order["purchase_units"][0].get("payments", {})]
            for each in payments.get("captures", [])
            if each["id"] == capture_id
        )
        of_it = [each for each in self.refunds.values() if each["of"] == capture_id]
        given_back = sum(float(each["amount"]["value"]) for each in of_it)
        left = float(capture["amount"]["value"]) - given_back
        if float(asked["amount"]["value"]) > left:
            return _problem(422, "REFUND_AMOUNT_EXCEEDED")
        is_all = float(asked["amount"]["value"]) == left
        capture["status"] = "REFUNDED" if is_all else "PARTIALLY_REFUNDED"
        refund = {
            "id": f"REFUND-{next(self._numbers)}",
            "status": "COMPLETED",
            "amount": asked["amount"],
            "custom_id": asked.get("custom_id", ""),
            "of": capture_id,
        }
        self.refunds[refund["id"]] = refund
        value = f"-{asked['amount']['value']}"
        self.move(value, name=refund["id"], code="T1107", paypal_reference_id=_named(capture_id))
        payments.setdefault("refunds", []).append(refund)
        return 201, refund

    def give_back(self, capture_id: str, value: str) -> None:
        """Somebody refunds it on PayPal's own page."""
        self._refund(capture_id, {"amount": {"currency_code": "USD", "value": value}})

    def move(
        self, value: str, *, name: str, code: str = "T0006", fee: str = "", **changes: Any
    ) -> None:
        """Something moves on the account."""
        moment = f"{self.at:%Y-%m-%dT%H:%M:%S}+0000"
        self.lines.append(
            {
                "transaction_id": _named(name),
                "transaction_event_code": code,
                "transaction_initiation_date": moment,
                "transaction_updated_date": moment,
                "transaction_amount": _usd(value),
                "transaction_status": "S",
                **({"fee_amount": _usd(fee)} if fee else {}),
                **changes,
            }
        )

    def _report(self, sent: Sent) -> Reply:
        """Transactions or balances; the document of reports has both."""
        reports = document("paypal_reporting")
        self.problems += reports.problems_of_request(sent)
        query = dict(parse_qsl(sent.query))
        is_list = sent.path.endswith("/transactions")
        body = (self._transactions if is_list else self._balances)(query) | self.told
        self.problems += reports.problems_of_answer("GET", sent.path, 200, body)
        return 200, body

    def _transactions(self, query: dict[str, str]) -> _JSON:
        since, until = _moment(query["start_date"]), _moment(query["end_date"])
        own = [
            each
            for each in self.lines
            if since <= _moment(each["transaction_initiation_date"]) <= until
        ]
        size = min(int(query["page_size"]), self.page_size)
        begin = (int(query["page"]) - 1) * size
        return {
            "transaction_details": [{"transaction_info": x} for x in own[begin : begin + size]],
            "page": int(query["page"]),
            "total_items": len(own),
            "total_pages": -(-len(own) // size),
            "last_refreshed_datetime": f"{self.refreshed_at:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _balances(self, query: dict[str, str]) -> _JSON:
        until = _moment(query["as_of_time"])
        total = sum(
            Decimal(each["transaction_amount"]["value"])
            + Decimal(each.get("fee_amount", {"value": "0"})["value"])
            for each in self.lines
            if _moment(each["transaction_initiation_date"]) <= until
            and each["transaction_status"] in ("S", "V")
        )
        told = {"currency": "USD", "primary": True, "total_balance": _usd(f"{total:.2f}")}
        return {"balances": [told], "as_of_time": query["as_of_time"]}

    def agree(self, order_id: str) -> None:
        """The payer agrees on PayPal's page."""
        self.orders[order_id]["status"] = "APPROVED"


def _named(name: str) -> str:
    """Reports have no punctuation in ids."""
    return name.replace("-", "")


def _usd(value: str) -> _JSON:
    return {"currency_code": "USD", "value": value}


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _problem(status: int, issue: str) -> Reply:
    return status, {"name": "PROBLEM", "details": [{"issue": issue, "description": f"{issue}."}]}


# ---- Webhooks ------------------------------------------------------------------------------------


class Authority:
    """An authority with the certificate of one server, as the web has them."""

    def __init__(self, name: str = "messageverificationcerts.sandbox.paypal.com") -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self.root = _certificate("Test Root", self._key, signed_by=None, is_authority=True)
        self._server_key = rsa.generate_private_key(65537, 2048)
        self.certificate = _certificate(
            name, self._server_key, signed_by=(self.root, self._key), is_authority=False
        )

    def pem(self) -> bytes:
        """What is at the address of the certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def sign(self, body: bytes, *, webhook_id: str, at: float, **changes: str) -> dict[str, str]:
        """The headers of a webhook that PayPal sent at this second."""
        moment = datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signed = f"transmission-1|{moment}|{webhook_id}|{zlib.crc32(body)}"
        signature = self._server_key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return {
            "PayPal-Transmission-Id": "transmission-1",
            "PayPal-Transmission-Time": moment,
            "PayPal-Transmission-Sig": base64.b64encode(signature).decode(),
            "PayPal-Cert-Url": CERT_URL,
            "PayPal-Auth-Algo": "SHA256withRSA",
        } | changes


@cache
def authority(name: str = "messageverificationcerts.sandbox.paypal.com") -> Authority:
    """One of each, since keys take time to make."""
    return Authority(name)


def _certificate(
    name: str,
    key: rsa.RSAPrivateKey,
    *,
    signed_by: tuple[x509.Certificate, rsa.RSAPrivateKey] | None,
    is_authority: bool,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, issuer_key = (signed_by[0].subject, signed_by[1]) if signed_by else (subject, key)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON - timedelta(days=10))
        .not_valid_after(NOON + timedelta(days=80))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
        .add_extension(
            x509.KeyUsage(
                **usage,
                digital_signature=not is_authority,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if is_authority:
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        )
    else:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    return builder.sign(issuer_key, SHA256())


def event(event_id: str, about: _JSON, *, kind: str = "PAYMENT.CAPTURE.COMPLETED") -> bytes:
    """The body of a webhook about an object."""
    return json.dumps({"id": event_id, "event_type": kind, "resource": about}).encode()
