"""Rail accounts for tests."""

from django.conf import LazySettings

from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.purchases import FINN, approve
from treasury import services as treasury
from treasury.models import RailAccount
from treasury.services import RailTerms

WEBHOOK_SECRET = "whsec_of_tests"
SETTINGS = {"return_url": "https://butler.example.com/treasury"}


def add_rail(slug: str = "stripe", **changes) -> RailAccount:
    """A rail account in sandbox mode, switched off."""
    secrets = {
        "secret": changes.pop("secret", "sk_test_fake"),
        "webhook_secret": changes.pop("webhook_secret", WEBHOOK_SECRET),
    }
    terms = {"slug": slug, "kind": "stripe", "mode": "sandbox", "settings": SETTINGS} | changes
    return treasury.add_rail_account(RailTerms(**terms), **secrets, actor=ACTOR, now=NOON)


def add_paypal() -> RailAccount:
    """An account with PayPal, in sandbox mode."""
    return add_rail(
        "paypal",
        kind="paypal",
        secret="secret",  # noqa: S106
        webhook_secret="",
        settings=SETTINGS | {"client_id": "client", "webhook_id": "WH-1"},
    )


def switch_on(account: RailAccount) -> RailAccount:
    """Finn asks, and Dora, who must be there, approves."""
    approve(treasury.propose_rail(account.pk, reason="test", actor=FINN, now=NOON))
    account.refresh_from_db()
    return account


def stand_in(settings: LazySettings, kind: str, url: str) -> None:
    """Let rails of this kind call a fake instead of the vendor."""
    settings.RAIL_URLS = {**settings.RAIL_URLS, kind: url}
