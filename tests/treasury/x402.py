"""A wallet of x402, an allowance, and messages of services, for tests."""

import json
from base64 import b64encode
from decimal import Decimal
from uuid import uuid4

from tests.moments import NOON
from tests.treasury.purchases import FINN, approve, make_decider
from treasury import services as treasury
from treasury.models import Account
from treasury.rails.x402.networks import NETWORKS
from treasury.services import AllowanceTerms, RailTerms

# Of nobody: the same two digits again and again.
KEY = "11" * 32
WALLET = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
SHOP, OTHER = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "0x" + "ab" * 20
RAIL = "rail:wallet"


def offer(version=2, **changes):
    amount = "amount" if version == 2 else "maxAmountRequired"
    base = {
        "scheme": "exact",
        "network": "eip155:84532" if version == 2 else "base-sepolia",
        amount: "10000",
        "asset": NETWORKS[0].contract,
        "payTo": SHOP,
        "maxTimeoutSeconds": 60,
        "extra": {"name": "USDC", "version": "2"},
    }
    if version == 1:
        base["resource"] = "https://shop.example/data"
    return base | changes


def asked(version=2, *offers, **changes):
    """The 402 of a service: text in base64 of version 2, or JSON of version 1."""
    message = {"x402Version": version, "accepts": list(offers) or [offer(version, **changes)]}
    if version == 1:
        return json.dumps(message)
    return encoded(message | {"resource": {"url": "https://shop.example/data"}})


def encoded(message):
    return b64encode(json.dumps(message).encode()).decode()


def receipt(success=True, **changes):
    said = {
        "success": success,
        "transaction": "0x12ab" if success else "",
        "network": "eip155:84532",
        "payer": WALLET,
    }
    return encoded(said | changes)


def make_wallet():
    """Ada may pay the shop: 0.02 at once, 0.05 a day, 0.10 a month; 1 USDC is there."""
    make_decider()
    terms = RailTerms(slug="wallet", kind="x402", mode="sandbox", settings={})
    treasury.add_rail_account(terms, secret=KEY, actor=FINN, now=NOON)
    assert treasury.test_rail("wallet", actor=FINN, now=NOON).last_error == ""
    approve(treasury.propose_rail("wallet", reason="x", actor=FINN, now=NOON))
    approve(allow())
    rail = Account.objects.get(name=RAIL)
    treasury.record_funding(rail, Decimal(1), reference="faucet", key=uuid4(), actor=FINN, now=NOON)


def allow(**changes):
    terms = {
        "agent": "ada",
        "rail": "wallet",
        "per_payment_max": Decimal("0.02"),
        "daily_max": Decimal("0.05"),
        "monthly_max": Decimal("0.10"),
        "payees": [SHOP],
    } | changes
    return treasury.propose_allowance(AllowanceTerms(**terms), reason="x", actor=FINN, now=NOON)
