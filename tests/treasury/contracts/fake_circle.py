"""Circle as the rails use it: Mint's transfers and payouts, wallets on a testnet, and webhooks."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from tests.moments import NOON
from tests.treasury.contracts.documents import Sent, document
from tests.treasury.contracts.fake_vendor import FakeVendor, Reply
from treasury.rails.circle_mint import sns

_JSON = dict[str, Any]
_NOT_FOUND: Reply = (404, {"code": 404, "message": "Not found."})
ADDRESS, BANK = str(UUID(int=7, version=4)), str(UUID(int=8, version=4))
WALLET, TOKEN = str(UUID(int=9, version=4)), str(UUID(int=10, version=4))
KEY_ID = str(UUID(int=11, version=4))
ENTITY_SECRET = "5b" * 32
TOPIC = "arn:aws:sns:us-east-1:908968368384:sandbox_platform-notifications-topic"
CERTIFICATE_URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789ab.pem"
_MINT = "/v1/businessAccount"


class FakeCircle(FakeVendor):
    """Keeps keys as Circle does. `next_state` is that of the next payment."""

    def __init__(self, secret: str = "TEST_API_KEY:id:secret") -> None:  # noqa: S107 - of the fake
        super().__init__(document("circle"))
        self.secret = secret
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.payments: dict[str, _JSON] = {}
        self.keys: dict[str, tuple[_JSON, str]] = {}
        self.ciphertexts: list[str] = []
        self.drips: list[_JSON] = []
        self.next_state, self.cents = "", 100_000
        # When the next payment begins, what has arrived, and the most rows of a page.
        self.created, self.deposits, self.page_size = "2026-03-14T12:00:00.000Z", list[_JSON](), 50
        self.faults.clear()
        self.read_faults.clear()
        self._numbers = count(100)

    def is_documented(self, sent: Sent) -> bool:
        """The document is that of Mint."""
        return sent.path.startswith(_MINT)

    def answer(self, sent: Sent) -> Reply:
        """As Circle."""
        if sent.headers.get("Authorization") != f"Bearer {self.secret}":
            return 401, {"code": 401, "message": "Malformed authorization."}
        if sent.method == "GET":
            return self._get(sent)
        asked = json.loads(sent.body)
        if sent.path == "/v1/faucet/drips":
            self.drips.append(asked)
            return 204, {}
        return self._once(sent.path, asked)

    def _once(self, path: str, asked: _JSON) -> Reply:
        """The first answer of a key, again and again."""
        key = asked["idempotencyKey"]
        if ciphertext := asked.pop("entitySecretCiphertext", ""):
            if ciphertext in self.ciphertexts:
                return 400, {"code": 156004, "message": "Reuse of entity secret ciphertext."}
            decrypted = entity_key().decrypt(
                base64.b64decode(ciphertext),
                padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
            )
            if decrypted.hex() != ENTITY_SECRET:
                return 400, {"code": 156013, "message": "The entity secret is wrong."}
            self.ciphertexts.append(ciphertext)
        if key in self.keys:
            first, payment = self.keys[key]
            if first != asked:
                return 409, {"code": 409, "message": "The key was used for another request."}
            return 201, self._shown(self.payments[payment], path)
        if path.endswith("/addresses/deposit"):
            data = {"address": "0xfeed", "currency": "USD", "chain": asked["chain"]}
            return 201, {"data": data}
        payment = self._add(path, asked)
        self.keys[key] = asked, payment["id"]
        return 201, self._shown(payment, path)

    def _add(self, path: str, asked: _JSON) -> _JSON:
        payment_id = str(UUID(int=next(self._numbers), version=4))
        if path.startswith(_MINT):
            payment = {
                "id": payment_id,
                "amount": asked["amount"],
                "status": self.next_state or "pending",
                "createDate": self.created,
                "updateDate": self.created,
            }
            if payment["status"] != "failed":
                # Circle takes it at once.
                self.cents -= _cents(asked["amount"])
            if path.endswith("/payouts"):
                payment["destination"] = asked["destination"]
            if path.endswith("/transfers"):
                payment |= {
                    "source": {"type": "wallet", "id": "1000"},
                    "destination": {"type": "blockchain", "address": "0xbeef", "chain": "ETH"},
                }
        else:
            payment = {
                "id": payment_id,
                "state": self.next_state or "INITIATED",
                "amounts": asked["amounts"],
                "refId": asked["refId"],
                "walletId": asked["walletId"],
                "transactionType": "OUTBOUND",
            }
        self.payments[payment_id] = payment | {"_path": path}
        return self.payments[payment_id]

    def _shown(self, payment: _JSON, path: str) -> _JSON:
        if not path.startswith(_MINT):
            return {"data": {"id": payment["id"], "state": payment["state"]}}
        return {"data": {name: each for name, each in payment.items() if name != "_path"}}

    def _get(self, sent: Sent) -> Reply:
        read = self._get_mint if sent.path.startswith(_MINT) else self._get_wallets
        return read(sent)

    def _get_mint(self, sent: Sent) -> Reply:
        match sent.path.split("/")[2:]:
            case ["businessAccount", "balances"]:
                money = {"amount": f"{self.cents / 100:.2f}", "currency": "USD"}
                return 200, {"data": {"available": [money], "unsettled": []}}
            case ["businessAccount", "deposits"]:
                return 200, {"data": self._page(self.deposits, sent)}
            case ["businessAccount", "transfers" | "payouts"]:
                own = [each for each in self.payments.values() if each["_path"] == sent.path]
                shown = [self._shown(each, sent.path)["data"] for each in own]
                return 200, {"data": self._page(shown, sent)}
            case ["businessAccount", "transfers" | "payouts", payment_id]:
                payment = self.payments.get(payment_id)
                if payment is None or not sent.path.startswith(payment["_path"]):
                    return _NOT_FOUND
                return 200, self._shown(payment, sent.path)
        return _NOT_FOUND

    def _page(self, rows: list[_JSON], sent: Sent) -> list[_JSON]:
        """The newest first."""
        query = dict(parse_qsl(sent.query))
        newest = [each for each in rows[::-1] if each["createDate"] >= query.get("from", "")]
        ids = [each["id"] for each in newest]
        begin = ids.index(query["pageAfter"]) + 1 if "pageAfter" in query else 0
        return newest[begin : begin + min(int(query["pageSize"]), self.page_size)]

    def deposit(self, amount: str, *, status: str = "complete", fee: str = "") -> _JSON:
        """Money arrives from a bank; it is there when it is complete."""
        row = {
            "id": str(UUID(int=next(self._numbers), version=4)),
            "destination": {"type": "wallet", "id": "1000"},
            "amount": _usd(amount),
            "status": status,
            "createDate": self.created,
            **({"fee": _usd(fee)} if fee else {}),
        }
        self.deposits.append(row)
        if status == "complete":
            self.cents += _cents(row["amount"]) - (_cents(row["fee"]) if fee else 0)
        return row

    def end(self, payment_id: str, *, fee: str = "") -> None:
        """A payment is complete."""
        payment = self.payments[payment_id]
        is_payout = payment["_path"].endswith("/payouts")
        if fee:
            self.cents -= _cents(_usd(fee))
            told = _usd(fee) if is_payout else [_usd(fee) | {"type": "network"}]
            payment["fees"] = told
        payment["status"] = "complete"

    def fail(self, payment_id: str, code: str = "transaction_denied") -> None:
        """A payment fails, and its money is there again."""
        payment = self.payments[payment_id]
        self.cents += _cents(payment["amount"])
        payment |= {"status": "failed", "errorCode": code}

    def send_back(self, payment_id: str, *, fee: str = "", status: str = "complete") -> None:
        """The bank returns a payout, now."""
        payment = self.payments[payment_id]
        payment |= {"status": "failed", "errorCode": "transaction_returned"}
        payment["return"] = {
            "id": str(UUID(int=next(self._numbers), version=4)),
            "payoutId": payment_id,
            "amount": payment["amount"],
            "fees": _usd(fee or "0.00"),
            "reason": "payout_returned",
            "status": status,
            "createDate": self.created,
        }
        if status == "complete":
            self.cents += _cents(payment["amount"]) - _cents(_usd(fee or "0.00"))

    def _get_wallets(self, sent: Sent) -> Reply:
        query = dict(parse_qsl(sent.query))
        match sent.path.split("/")[2:]:
            case ["w3s", "config", "entity", "publicKey"]:
                pem = (
                    entity_key()
                    .public_key()
                    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                )
                return 200, {"data": {"publicKey": pem.decode()}}
            case ["w3s", "wallets", _, "balances"]:
                held = [
                    {"amount": "25.5", "token": {"id": TOKEN, "symbol": "USDC"}},
                    {"amount": "0.1", "token": {"id": "other", "symbol": "ETH"}},
                ]
                return 200, {"data": {"tokenBalances": held}}
            case ["w3s", "transactions"]:
                own = [each for each in self.payments.values() if "refId" in each][::-1]
                ids = [each["id"] for each in own]
                begin = ids.index(query["pageAfter"]) + 1 if "pageAfter" in query else 0
                page = own[begin : begin + int(query["pageSize"])]
                return 200, {"data": {"transactions": page}}
            case ["w3s", "transactions", payment_id] if payment_id in self.payments:
                return 200, {"data": {"transaction": self.payments[payment_id]}}
            case ["notifications", "publicKey", key_id] if key_id == KEY_ID:
                der = (
                    webhook_key()
                    .public_key()
                    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                )
                public = base64.b64encode(der).decode()
                return 200, {"data": {"algorithm": "ECDSA_SHA_256", "publicKey": public}}
        return _NOT_FOUND


def _usd(amount: str) -> _JSON:
    return {"amount": amount, "currency": "USD"}


def _cents(money: _JSON) -> int:
    return round(float(money["amount"]) * 100)


@cache
def entity_key() -> rsa.RSAPrivateKey:
    """Circle's key for entity secrets."""
    return rsa.generate_private_key(65537, 2048)


@cache
def webhook_key() -> ec.EllipticCurvePrivateKey:
    """Circle's key for notifications of wallets."""
    return ec.generate_private_key(ec.SECP256R1())


def moment(at: float) -> str:
    """A moment as Circle writes it, to the nanosecond."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.816010685Z"


def wallet_event(event_id: str, *, kind: str, at: float, payment: str = "t-1") -> bytes:
    """A notification of wallets."""
    told = {
        "subscriptionId": KEY_ID,
        "notificationId": event_id,
        "notificationType": kind,
        "notification": {"id": payment, "state": "COMPLETE"},
        "timestamp": moment(at),
        "version": 2,
    }
    return json.dumps(told).encode()


def wallet_headers(body: bytes, *, key_id: str = KEY_ID) -> dict[str, str]:
    """Circle's signature over a body."""
    signature = webhook_key().sign(body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Circle-Key-Id": key_id,
        "X-Circle-Signature": base64.b64encode(signature).decode(),
    }


@cache
def amazon_key() -> rsa.RSAPrivateKey:
    """Amazon's key for notifications."""
    return rsa.generate_private_key(65537, 2048)


@cache
def amazon_certificate() -> bytes:
    """Amazon's certificate around noon."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(amazon_key().public_key())
        .serial_number(1)
        .not_valid_before(NOON - timedelta(days=1))
        .not_valid_after(NOON + timedelta(days=1))
        .sign(amazon_key(), hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def mint_event(event_id: str, *, kind: str, at: float, **changes: str) -> bytes:
    """A notification of Mint in Amazon's envelope; `changes` are signed, too."""
    told = {"notificationType": kind, "version": 1, "transfer": {"id": "t-1"}}
    envelope = {
        "Type": "Notification",
        "MessageId": event_id,
        "TopicArn": TOPIC,
        "Message": json.dumps(told),
        "Timestamp": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        "SignatureVersion": "1",
        "SigningCertURL": CERTIFICATE_URL,
    } | changes
    return json.dumps(sign_envelope(envelope)).encode()


def sign_envelope(envelope: _JSON) -> _JSON:
    """The envelope with Amazon's signature."""
    names = sns.SIGNED[envelope["Type"]]
    signed = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    algorithm = hashes.SHA1() if envelope["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303
    signature = amazon_key().sign(signed.encode(), padding.PKCS1v15(), algorithm)
    return envelope | {"Signature": base64.b64encode(signature).decode()}
