"""The rails of this installation: the simulator, and the rail accounts that people have set up."""

from typing import cast

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from common import addresses
from security import services as security
from treasury.models import RailAccount
from treasury.rails.base import Capability, CollectingRail, Mode, PayingRail, PayoutRail, Rail
from treasury.rails.circle_mint.kind import CIRCLE_MINT
from treasury.rails.circle_wallets.kind import CIRCLE_WALLETS
from treasury.rails.kinds import Connection, RailKind
from treasury.rails.paypal.kind import PAYPAL
from treasury.rails.simulator.rail import SimulatorRail
from treasury.rails.stripe.kind import STRIPE
from treasury.rails.x402.kind import X402
from treasury.rails.xai.kind import XAI
from treasury.refusals import RailNotFound, RailOff, WrongRail

SIMULATOR = "simulator"
_KINDS = (STRIPE, PAYPAL, XAI, CIRCLE_MINT, CIRCLE_WALLETS, X402)
KINDS: dict[str, RailKind] = {kind.slug: kind for kind in _KINDS}


def rail_named(name: str) -> Rail:
    """The rail with this name, to move money. Refusals: RailNotFound, RailOff."""
    if simulator := _simulator(name):
        return simulator
    account = _account(name)
    if account.enabled_at is None:
        raise RailOff(rail=name)
    return connect(account)


def rail_to_read(name: str) -> Rail:
    """The rail with this name, only to read what it has: also if it is switched off. Refusals:
    RailNotFound."""
    return _simulator(name) or connect(_account(name))


def paying_rail(name: str) -> PayingRail:
    """The rail with this name, to pay. Refusals: RailNotFound, RailOff, WrongRail."""
    rail = rail_named(name)
    if Capability.PAY not in rail.capabilities:
        raise WrongRail(f"{name} cannot pay. It can: {', '.join(sorted(rail.capabilities))}.")
    return cast(PayingRail, rail)


def collecting_rail(name: str) -> CollectingRail:
    """The rail with this name, to collect. Refusals: RailNotFound, RailOff, WrongRail."""
    return _collecting(rail_named(name))


def collecting_rail_to_read(name: str) -> CollectingRail:
    """The rail with this name, only to read what it has. Refusals: RailNotFound, WrongRail."""
    return _collecting(rail_to_read(name))


def payout_rail(name: str) -> PayoutRail:
    """The rail with this name, to pay out to one's own bank. Refusals: RailNotFound, RailOff,
    WrongRail."""
    rail = _paying_out(rail_named(name))
    if not rail.payout_destination:
        raise WrongRail(f"{name} has no bank account in its settings.")
    return rail


def payout_rail_to_read(name: str) -> PayoutRail:
    """The rail with this name, only to read what it has. Refusals: RailNotFound, WrongRail."""
    return _paying_out(rail_to_read(name))


def _paying_out(rail: Rail) -> PayoutRail:
    if not isinstance(rail, PayoutRail):
        raise WrongRail(f"Butler pays nothing out of {rail.name}.")
    return rail


def statement_formats() -> dict[str, str]:
    """How `treasury.rail_statements` reads what Butler fetches from a rail, by the name of each
    rail whose vendor tells statements."""
    kinds = RailAccount.objects.values_list("slug", "kind")
    found = {slug: KINDS[kind].statement_format for slug, kind in kinds if kind in KINDS}
    if _simulator(SIMULATOR):
        found[SIMULATOR] = SIMULATOR
    return {slug: name for slug, name in found.items() if name}


def connect(account: RailAccount) -> Rail:
    """The rail of an account, switched on or not."""
    return KINDS[account.kind].connect(connection_of(account))


@sensitive_variables()
def connection_of(account: RailAccount) -> Connection:
    """How the account reaches its vendor, with its secrets."""
    mode = Mode(account.mode)
    stand_in = settings.RAIL_URLS.get(account.kind) if mode == Mode.SANDBOX else None
    return Connection(
        name=account.slug,
        mode=mode,
        url=stand_in or KINDS[account.kind].urls[mode],
        settings=account.settings,
        secret=_secret(account, "sealed_secret"),
        webhook_secret=_secret(account, "sealed_webhook_secret"),
        networks=addresses.networks(["private"]) if stand_in else (),
    )


def _collecting(rail: Rail) -> CollectingRail:
    if Capability.COLLECT not in rail.capabilities:
        can = ", ".join(sorted(rail.capabilities))
        raise WrongRail(f"{rail.name} cannot collect. It can: {can}.")
    return cast(CollectingRail, rail)


def _secret(account: RailAccount, field: str) -> str:
    return security.unseal_from(account, field) if getattr(account, field) else ""


def _simulator(name: str) -> SimulatorRail | None:
    is_there = name == SIMULATOR and settings.SIMULATOR_URL
    return SimulatorRail(settings.SIMULATOR_URL) if is_there else None


def _account(name: str) -> RailAccount:
    account = RailAccount.objects.filter(pk=name).first()
    if account is None or account.kind not in KINDS:
        raise RailNotFound(rail=name)
    return account
