"""What one caller does, through the service layer."""

import itertools
from collections.abc import Iterator

from django.db import connection

from bench import rows
from bench.closed_loop import Action
from keys import services as keys
from keys.models import Allocation, Charge
from keys.refusals import LimitReached

BATCH = 32
_USAGE = keys.Usage(input_tokens=80, output_tokens=20)


def allocate(number: int) -> Action:
    """One allocation."""
    agent = f"agent-{number % rows.AGENTS}"

    def act() -> int:
        rows.lend(agent)
        return 1

    return act


def allocate_refused(number: int) -> Action:
    """One allocation that a limit refuses."""

    def act() -> int:
        try:
            rows.lend("poor")
        except LimitReached:
            return 1
        raise AssertionError("an allocation exceeded the limit of the agent `poor`")

    return act


def hold_and_settle(number: int) -> Action:
    """One hold and its settlement, in an allocation of the caller's own."""
    allocation, names = _lend(number)

    def act() -> int:
        keys.settle(charge=_hold(allocation, next(names)), usage=_USAGE, now=rows.now())
        return 1

    return act


def settle_in_batches(number: int) -> Action:
    """Settle 32 charges in one transaction. Their holds are made by one statement, whose time
    counts too: the figure is of settlements, and a little too low."""
    allocation, _ = _lend(number)

    def act() -> int:
        endings = [
            keys.Settlement(charge, Charge.Status.SETTLED, _USAGE)
            for charge in _hold_many(allocation)
        ]
        return keys.settle_many(endings, now=rows.now())

    return act


def _lend(number: int) -> tuple[Allocation, Iterator[str]]:
    allocation = rows.lend(f"agent-{number % rows.AGENTS}", tokens=10**9)
    return allocation, (f"call-{count}" for count in itertools.count())


def _hold(allocation: Allocation, name: str) -> Charge:
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


def _hold_many(allocation: Allocation) -> list[Charge]:
    with connection.cursor() as cursor:
        cursor.execute(_HOLD_MANY, [allocation.pk])
        return [
            Charge(pk=pk, allocation=allocation, api_key_id=api_key, price_id=price)
            for pk, api_key, price in cursor.fetchall()
        ]
