"""What one caller does, through the service layer."""

import itertools

from django.db import connection

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
    """Settle 32 charges in one transaction. Their holds are made by one statement, whose time
    counts too: the figure is of settlements, and a little too low."""
    allocation, _ = _lent(number)

    def act() -> int:
        endings = [
            keys.Ending(charge, Charge.Status.SETTLED, _USAGE)
            for charge in _held_together(allocation)
        ]
        return keys.settle_many(endings, now=rows.now())

    return act


def _lent(number: int):
    allocation = rows.lend(f"agent-{number % rows.AGENTS}", tokens=10**9)
    return allocation, (f"call-{count}" for count in itertools.count())


def _held(allocation, name: str) -> Charge:
    charge, _ = keys.hold(
        allocation_id=allocation.pk, tokens=200, idempotency_key=name, now=rows.now()
    )
    return charge


_HOLD_MANY = f"""
WITH room AS (
    UPDATE keys_allocation
       SET held = held + {BATCH} * 200, held_cost = held_cost + {BATCH} * 200 * token_cost_max
     WHERE id = %s RETURNING id, api_key_id, price_id, token_cost_max)
INSERT INTO keys_charge (
    allocation_id, api_key_id, price_id, model, idempotency_key, status, basis, held_tokens,
    held_cost, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    tokens, cost, overrun, created_at, expires_at)
SELECT id, api_key_id, price_id, '', gen_random_uuid()::text, 'held', 'reported', 200,
       200 * token_cost_max, 0, 0, 0, 0, 0, 0, 0, false, now(), now() + interval '1 hour'
  FROM room, generate_series(1, {BATCH})
RETURNING id, api_key_id, price_id
"""  # noqa: S608 - numbers of this file


def _held_together(allocation) -> list[Charge]:
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_MANY, [allocation.pk])
        return [
            Charge(pk=pk, allocation=allocation, api_key_id=api_key, price_id=price)
            for pk, api_key, price in cursor.fetchall()
        ]
