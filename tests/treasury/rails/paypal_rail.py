"""A rail that calls a fake of PayPal."""

from common import addresses
from treasury.rails.base import Mode
from treasury.rails.kinds import Connection
from treasury.rails.paypal.rail import PayPalRail


def paypal_rail(url: str, *, secret: str = "secret") -> PayPalRail:  # noqa: S107
    """The rail that calls a stand-in at this address."""
    return PayPalRail(
        Connection(
            name="paypal",
            mode=Mode.SANDBOX,
            url=url,
            secret=secret,
            settings={
                "client_id": "client",
                "return_url": "https://butler.example.com/treasury",
            },
            networks=addresses.networks(["private"]),
        )
    )
