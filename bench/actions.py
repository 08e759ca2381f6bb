"""What one caller does, through the service layer."""

import itertools

from bench import rows
from keys import services as keys
from keys.models import Charge
from keys.refusals import LimitReached

BATCH = 32
_USAGE = keys.Usage(input_tokens=80, output_tokens=20)


def allocating(number: int):
    """One allocation."""
    agent = f"agent-{number % rows.AGENTS}"

    def act() -> int:
        rows.lend(agent)
        return 1

    return act


def refused(number: int):
    """One allocation that a limit refuses."""

    def act() -> int:
        try:
            rows.lend("poor")
        except LimitReached:
            return 1
        raise AssertionError("the poor agent was lent something")

    return act


def holding_and_settling(number: int):
    """One hold and its settlement, in an allocation of the caller's own."""
    allocation, names = _lent(number)

    def act() -> int:
        keys.settle(charge=_held(allocation, next(names)), usage=_USAGE, now=rows.now())
        return 1

    return act


def settling_in_batches(number: int):
    """Settle 32 charges at once; the holds are not in the figure of `settling` but in the time."""
    allocation, names = _lent(number)

    def act() -> int:
        charges = [_held(allocation, next(names)) for _ in range(BATCH)]
        endings = [keys.Ending(charge, Charge.State.SETTLED, _USAGE) for charge in charges]
        return keys.settle_many(endings, now=rows.now())

    return act


def _lent(number: int):
    allocation = rows.lend(f"agent-{number % rows.AGENTS}", tokens=10**9)
    return allocation, (f"call-{count}" for count in itertools.count())


def _held(allocation, name: str) -> Charge:
    return keys.hold(allocation_id=allocation.pk, tokens=200, idempotency_key=name, now=rows.now())
