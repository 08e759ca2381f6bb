"""The messages of x402, versions 1 and 2: what a service asks for, what is sent, the receipt."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from treasury.rails.x402.addresses import checksummed
from treasury.rails.x402.networks import BY_NAME, TOKEN_PLACES, Network
from treasury.rails.x402.signing import Authorization

MESSAGE_CHARACTERS_MAX = 20_000
_OFFERS_MAX = 20
# A signature counts no longer than this, even if a service asks for more.
_SECONDS_MAX = 600
_WHOLE = re.compile(r"[1-9][0-9]{0,17}")
_SCHEME = "exact"
HEADERS = {1: "X-PAYMENT", 2: "PAYMENT-SIGNATURE"}


class MessageError(Exception):
    """The message is not what the specification says; the text tells people what is wrong."""


class NetworkRefusedError(MessageError):
    """No offer is for play money on a testnet that is known here."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a service asks for, by the first of its offers that can be paid.

    `offer` is the offer as it came, `resource` what it is for. `value` is in the smallest unit.
    """

    version: int
    network: Network
    network_name: str
    pay_to: str
    value: int
    seconds: int
    resource: str
    offer: dict[str, Any]
    message: dict[str, Any]

    @property
    def amount(self) -> Decimal:
        """The amount in USDC, which counts as US dollars."""
        return Decimal(self.value).scaleb(-TOKEN_PLACES)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a service says came of a payment; `transaction` is that of the blockchain."""

    is_settled: bool
    transaction: str
    network_name: str
    payer: str
    error: str


def read_asked(text: str) -> Asked:
    """Read the 402 of a service: the header of version 2 in base64, or the body of version 1.

    Raises MessageError, NetworkRefusedError.
    """
    message = _json(text)
    version, offers = message.get("x402Version"), message.get("accepts")
    if version not in HEADERS or isinstance(version, bool):
        raise MessageError("The 402 must be of x402 version 1 or 2.")
    if not isinstance(offers, list) or not 0 < len(offers) <= _OFFERS_MAX:
        raise MessageError("The 402 must have 1 to 20 offers in `accepts`.")
    known = [offer for offer in offers if _is_known(offer)]
    if not known:
        raise NetworkRefusedError(
            "No offer of the 402 is of the scheme exact, in test USDC on Base Sepolia. Real money "
            "is not paid."
        )
    return _asked(version, known[0], message)


def _is_known(offer: Any) -> bool:
    if not isinstance(offer, dict) or offer.get("scheme") != _SCHEME:
        return False
    network = BY_NAME.get(_text(offer, "network"))
    return network is not None and _text(offer, "asset").lower() == network.contract.lower()


def _asked(version: int, offer: dict[str, Any], message: dict[str, Any]) -> Asked:
    network = BY_NAME[offer["network"]]
    extra = offer.get("extra") or {}
    own = {"name": network.coin, "version": network.coin_version}
    named = {name: extra.get(name, own[name]) for name in own} if isinstance(extra, dict) else {}
    if named != own or extra.get("assetTransferMethod", "eip3009") != "eip3009":
        raise MessageError("The offer names another token than its address, or another method.")
    value = _text(offer, "amount" if version == 2 else "maxAmountRequired")
    if not _WHOLE.fullmatch(value):
        raise MessageError("The amount must be a whole number of the smallest unit, as text.")
    seconds = offer.get("maxTimeoutSeconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        raise MessageError("`maxTimeoutSeconds` must be a whole number above 0.")
    try:
        pay_to = checksummed(_text(offer, "payTo"))
    except ValueError as error:
        raise MessageError(str(error)) from None
    return Asked(
        version=version,
        network=network,
        network_name=offer["network"],
        pay_to=pay_to,
        value=int(value),
        seconds=min(seconds, _SECONDS_MAX),
        resource=_resource(version, offer, message),
        offer=offer,
        message=message,
    )


def _resource(version: int, offer: dict[str, Any], message: dict[str, Any]) -> str:
    about = message.get("resource")
    if version == 1:
        found = _text(offer, "resource")
    else:
        found = _text(about, "url") if isinstance(about, dict) else ""
    if not found.startswith(("https://", "http://")):
        raise MessageError("The 402 does not say which address it is for.")
    return found[:500]


def header_value(asked: Asked, authorization: Authorization, signature: str) -> str:
    """What the agent sends to the service, in base64: the value of `HEADERS[asked.version]`."""
    payload = {
        "signature": signature,
        "authorization": {
            "from": authorization.payer,
            "to": authorization.payee,
            "value": str(authorization.value),
            "validAfter": str(authorization.valid_after),
            "validBefore": str(authorization.valid_before),
            "nonce": authorization.nonce,
        },
    }
    sent: dict[str, Any] = {"x402Version": asked.version}
    if asked.version == 1:
        sent |= {"scheme": _SCHEME, "network": asked.network_name, "payload": payload}
    else:
        sent |= {"resource": asked.message["resource"], "accepted": asked.offer}
        sent |= {"payload": payload, "extensions": asked.message.get("extensions") or {}}
    return base64.b64encode(json.dumps(sent, separators=(",", ":")).encode()).decode()


def read_receipt(text: str) -> Receipt:
    """Read the header in which a service says what came of a payment. Raises MessageError."""
    message = _json(text)
    names = ("transaction", "network", "payer", "errorReason")
    values = {name: _text(message, name) for name in names}
    if not isinstance(message.get("success"), bool):
        raise MessageError("The receipt does not say whether the payment was settled.")
    return Receipt(
        is_settled=message["success"],
        transaction=values["transaction"][:200],
        network_name=values["network"],
        payer=values["payer"],
        error=values["errorReason"][:200],
    )


def _json(text: str) -> dict[str, Any]:
    if len(text) > MESSAGE_CHARACTERS_MAX:
        raise MessageError("The message is too long.")
    try:
        content = text if text.lstrip().startswith("{") else base64.b64decode(text, validate=True)
        message = json.loads(content)
    except (ValueError, binascii.Error, RecursionError):
        raise MessageError("The message is neither JSON nor JSON in base64.") from None
    if not isinstance(message, dict):
        raise MessageError("The message is no JSON object.")
    return message


def _text(message: dict[str, Any], name: str) -> str:
    """A member, empty if it is no text."""
    value = message.get(name)
    return value if isinstance(value, str) else ""
