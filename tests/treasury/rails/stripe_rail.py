"""A rail that calls a fake of Stripe."""

from decimal import Decimal

from common import addresses
from tests.treasury.contracts.fake_stripe import FakeStripe
from treasury.rails.base import Mode, Order
from treasury.rails.kinds import Connection
from treasury.rails.stripe.rail import StripeRail


def stripe_rail(vendor: FakeStripe, **settings: str) -> StripeRail:
    """The rail; `payment_method="pm_card_visa"` charges a card, otherwise there is a page."""
    return rail_at(vendor.url, secret=vendor.secret, **settings)


def rail_at(url: str, *, secret: str = "sk_test_x", **settings: str) -> StripeRail:  # noqa: S107
    """The rail that calls a stand-in at this address."""
    return StripeRail(
        Connection(
            name="stripe",
            mode=Mode.SANDBOX,
            url=url,
            secret=secret,
            settings={"return_url": "https://butler.example.com/treasury"} | settings,
            networks=addresses.networks(["private"]),
        )
    )


def order(amount: str = "12.30", *, purchase: str = "p-1") -> Order:
    """What is asked for."""
    return Order(purchase=purchase, amount=Decimal(amount), currency="USD", payee="Butler")
