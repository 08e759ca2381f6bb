"""Rails that call a fake of Circle."""

from decimal import Decimal
from uuid import UUID

from common import addresses
from tests.treasury.contracts.fake_circle import (
    ADDRESS,
    ENTITY_SECRET,
    TOKEN,
    TOPIC,
    WALLET,
)
from tests.treasury.rail_accounts import add_rail
from treasury.rails.base import Mode, Order
from treasury.rails.circle_mint.rail import CircleMintRail
from treasury.rails.circle_wallets.rail import CircleWalletsRail
from treasury.rails.kinds import Connection

SECRET = "TEST_API_KEY:id:secret"
WALLET_SETTINGS = {
    "wallet": WALLET,
    "token": TOKEN,
    "blockchain": "ETH-SEPOLIA",
    "address": "0xcafe",
}
KEY = str(UUID(int=1, version=4))


def connection(url: str, secret: str = SECRET, **settings: str) -> Connection:
    """How a rail reaches the fake."""
    return Connection(
        name="circle",
        mode=Mode.SANDBOX,
        url=url,
        secret=secret,
        settings=settings,
        networks=addresses.networks(["private"]),
    )


def mint_rail(url: str) -> CircleMintRail:
    """The rail of Mint."""
    return CircleMintRail(connection(url, topic=TOPIC))


def wallets_rail(url: str, **changes: str) -> CircleWalletsRail:
    """The rail of wallets."""
    return CircleWalletsRail(
        connection(url, f"{SECRET} {ENTITY_SECRET}", **(WALLET_SETTINGS | changes))
    )


def order(amount: str = "12.30", payee: str = f"transfer:{ADDRESS}", purchase: str = KEY) -> Order:
    """What is to be paid."""
    return Order(purchase=purchase, amount=Decimal(amount), currency="USD", payee=payee)


def add_mint(**settings: str):
    """A rail account of Mint, switched off."""
    return add_rail(
        "mint",
        kind="circle-mint",
        secret=SECRET,
        webhook_secret="",
        settings={"topic": TOPIC} | settings,
    )


def add_wallets():
    """A rail account of wallets, switched off."""
    return add_rail(
        "wallets",
        kind="circle-wallets",
        secret=f"{SECRET} {ENTITY_SECRET}",
        webhook_secret="",
        settings=WALLET_SETTINGS,
    )
