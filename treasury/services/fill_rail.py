"""Bring money to a rail: play money from a faucet, or an address to which it is sent."""

from datetime import datetime
from uuid import uuid4

from django.db import transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.rail_list import rail_named
from treasury.rails.base import DepositRail, FaucetRail, Outcome
from treasury.refusals import WrongRail


def fill_rail(slug: str, *, chain: str = "", actor: Actor, now: datetime) -> str:
    """Ask the faucet of a rail for play money, or for an address on the blockchain `chain`.

    Returns what the vendor said, in a sentence. What arrives is recorded as funding. No transaction
    is open while the vendor is asked. Refusals: RailNotFound, RailOff, WrongRail.
    """
    rail = rail_named(slug)
    if isinstance(rail, FaucetRail):
        answer = rail.drip()
        if answer.outcome != Outcome.ACCEPTED:
            raise WrongRail(f"The faucet answers {answer.code}. {answer.message}".strip())
        said = "The faucet has been asked for play money, which arrives in some minutes."
    elif isinstance(rail, DepositRail):
        address = rail.deposit_address(chain, key=uuid4())
        if not address:
            raise WrongRail(f"{slug} gives no address on {chain or 'a blockchain: name one'}.")
        said = f"Send USDC on {chain} to {address}."
    else:
        raise WrongRail(f"{slug} has neither a faucet nor addresses.")
    with transaction.atomic(durable=True):
        audit.record(
            actor=actor,
            action=Action.RAIL_FILL,
            subject=f"rail:{slug}",
            after={"answer": said},
            at=now,
        )
    return said
