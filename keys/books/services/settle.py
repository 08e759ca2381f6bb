"""End held charges: settle them at what the calls really used, release them or expire them."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import msgspec
from django.db import DatabaseError, connection
from psycopg.types.json import Jsonb

from common.statements import Work, run
from keys.books import sql, transactions
from keys.books.queries.charges import figures
from keys.books.services import after_settlement
from keys.books.services.adjust import adjust_charge
from keys.books.services.usage import NOTHING, Usage
from keys.books.sql.hold import HoldResult
from keys.books.sql.spend import Spent
from keys.models import Allocation, Charge
from keys.refusals import AdjustmentRefused, ChargeEnded, WrongValue
from keys.supply.queries.prices import is_price_remembered, price_of
from security.actor import Actor

_STATUSES = Charge.Status
_SETTLEMENT = Actor.job("settlement")
_SERVICE_TIER_LENGTH_MAX = 40


class HeldCharge(Protocol):
    """A charge that can be ended: a `Charge`, or a `HoldResult` of `hold_many`."""

    @property
    def pk(self) -> int: ...
    @property
    def allocation_id(self) -> int: ...
    @property
    def api_key_id(self) -> str: ...
    @property
    def price_id(self) -> int: ...


class Settlement(NamedTuple):
    """How one held charge ends. Only a `settled` one has usage, basis and the provider's figures.

    `provider_cost`: USD as the provider computed it; recorded beside Butler's cost, never charged.
    `service_tier`: as the provider says it served the call; blank if it does not say.
    """

    charge: HeldCharge
    status: str
    usage: Usage = NOTHING
    basis: str = Charge.Basis.PROVIDER
    provider_cost: Decimal | None = None
    provider_request_id: str = ""
    service_tier: str = ""


class SettlementResult(NamedTuple):
    """The result of ending one charge.

    `ended`: False when the charge had ended before. `cost`: USD it was settled at. `left`: tokens
    of its allocation that can still be held; 0 when the allocation is closed. `used`: those that
    its settled calls have used.
    """

    ended: bool
    cost: Decimal
    left: int
    used: int


def settle(
    *, charge: Charge, usage: Usage, basis: str = Charge.Basis.PROVIDER, now: datetime
) -> int:
    """Pay what a held call really used and give back the rest; 1, or 0 when it was settled before.

    More than was held is recorded in full. A charge that has expired is settled all the same.
    Refusals: WrongValue; ChargeEnded when it was released, or settled with other usage.
    """
    settled = settle_many([Settlement(charge, _STATUSES.SETTLED, usage, basis)], now=now)
    if not settled:
        _check_same(Charge.objects.get(pk=charge.pk), usage)
    return settled


def _check_same(charge: Charge, usage: Usage) -> None:
    columns, counted = usage.as_columns(), figures(charge)
    settled = {name: getattr(charge, name) for name in columns}
    # The same settlement again: of a charge that was adjusted since, or by an adjustment.
    is_same = columns in (settled, {name: counted[name] for name in columns})
    if charge.status != _STATUSES.SETTLED or not is_same:
        raise ChargeEnded(charge_id=charge.pk, charge_status=charge.status)


def release(*, charge: Charge, now: datetime) -> int:
    """Give a hold back: nothing was used. 1, or 0 when the charge had ended before."""
    return settle_many([Settlement(charge, _STATUSES.RELEASED)], now=now)


def settle_many(endings: Iterable[Settlement], *, now: datetime) -> int:
    """End a batch of held charges; returns how many. Refusals: WrongValue, and nothing ends."""
    return sum(each.ended for each in end_many(endings, now=now))


def end_many(endings: Iterable[Settlement], *, now: datetime) -> list[SettlementResult]:
    """End a batch of held charges; the result of each, in the order given.

    Of several endings of one charge the first counts. Refusals: WrongValue, and nothing ends.
    """
    endings = list(endings)
    if connection.in_atomic_block:
        return end_with_consequences(endings, now=now)
    return end_rest(endings, run(end_plain(endings, now=now)), now=now)


def end_plain(endings: list[Settlement], *, now: datetime) -> Work[list[SettlementResult | None]]:
    """End those charges whose end has no consequences, in one round trip, which is a transaction.

    None for each of the others: `end_rest` ends it. Refusals: WrongValue, and nothing ends.
    """
    _check(endings)
    plain = [ending for ending in endings if _may_be_plain(ending)]
    if not plain:
        return [None] * len(endings)
    given = _given(plain, now=now)
    try:
        *_, spent = yield transactions.under_lock(
            sql.END_PLAIN,
            {"endings": _as_json(given), "at": now},
            allocations={ending.charge.allocation_id for ending in plain},
            scopes={f"key:{ending.charge.api_key_id}" for ending in plain},
            now=now,
        )
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) != sql.NOT_PLAIN:
            raise
        spent = []
    return _results(endings, given, spent)


def _may_be_plain(ending: Settlement) -> bool:
    """Whether it is worth a try: nothing that can be seen here says that something follows."""
    charge, tokens = ending.charge, ending.usage.tokens
    is_at_end = isinstance(charge, HoldResult) and (
        tokens > charge.tokens or (charge.left <= 0 and tokens == charge.tokens)
    )
    is_known = ending.status != _STATUSES.EXPIRED and is_price_remembered(charge.price_id)
    return is_known and not is_at_end


def end_rest(
    endings: list[Settlement], results: list[SettlementResult | None], *, now: datetime
) -> list[SettlementResult]:
    """End the charges that `end_plain` has left; the results of all."""
    rest = [ending for ending, result in zip(endings, results, strict=True) if result is None]
    ended = iter(end_with_consequences(rest, now=now) if rest else [])
    return [result or next(ended) for result in results]


def end_with_consequences(endings: list[Settlement], *, now: datetime) -> list[SettlementResult]:
    """End a batch of held charges in one transaction, with all that follows from it: alerts, closed
    allocations, exhausted keys; then rotations. Refusals: WrongValue, and nothing ends."""
    _check(endings)
    given = _given(endings, now=now)
    spent = _end(endings, _as_json(given), now=now)
    after_settlement.rotate_crossed(spent, now=now)
    left_over = given.keys() - {pk for row in spent for pk in row.charges}
    late = _adjust_late(left_over, endings, given, now=now) if left_over else set()
    return _outcomes(endings, given, spent, late)


def _check(endings: list[Settlement]) -> None:
    """Refusals: WrongValue."""
    for ending in endings:
        ending.usage.check()


def _given(endings: list[Settlement], *, now: datetime) -> dict[int, dict[str, Any]]:
    """The endings by charge, as `sql.END` takes them."""
    given: dict[int, dict[str, Any]] = {}
    for ending in endings:
        if ending.charge.pk not in given:
            given[ending.charge.pk] = _row(ending, now=now)
    return given


def _as_json(given: dict[int, dict[str, Any]]) -> Jsonb:
    return Jsonb(list(given.values()), dumps=msgspec.json.encode)


@transactions.in_books
def _end(endings: list[Settlement], rows: Jsonb, *, now: datetime) -> list[Spent]:
    spent = transactions.fetch_under_lock(
        sql.END,
        {"endings": rows, "at": now},
        allocations={ending.charge.allocation_id for ending in endings},
        scopes={f"key:{ending.charge.api_key_id}" for ending in endings},
        now=now,
    )
    return after_settlement.follow(spent, at=now)


def _row(ending: Settlement, *, now: datetime) -> dict[str, Any]:
    """An ending as `sql.END` takes it."""
    charge, usage = ending.charge, ending.usage
    # What is nothing is left out: most of the numbers are, and each takes its time to read.
    row: dict[str, Any] = {name: count for name, count in usage.as_columns().items() if count}
    row["id"] = charge.pk
    row["status"] = ending.status
    row["basis"] = ending.basis
    price, service_tier = price_of(charge.price_id), ending.service_tier
    row["cost"] = usage.cost(price, service_tier=service_tier, at=now)
    if service_tier:
        row["service_tier"] = service_tier[:_SERVICE_TIER_LENGTH_MAX]
    if usage.search_kind:
        row["search_kind"] = usage.search_kind
    if ending.provider_cost is not None:
        row["provider_cost"] = ending.provider_cost
    if ending.provider_request_id:
        row["provider_request_id"] = ending.provider_request_id[:200]
    return row


def _adjust_late(
    charges: Collection[int],
    endings: list[Settlement],
    given: dict[int, dict[str, Any]],
    *,
    now: datetime,
) -> set[int]:
    """Adjust those of the charges that wait for a late settlement; returns them.

    The statement left them as they are, because a window in which they count has closed.
    """
    waiting = Charge.objects.filter(pk__in=charges, hold_expired_at__isnull=False)
    late = set(waiting.values_list("pk", flat=True))
    adjusted: set[int] = set()
    for ending in endings:
        pk = ending.charge.pk
        if pk in late - adjusted and ending.status != _STATUSES.EXPIRED:
            # If it cannot be, the estimate stays.
            with suppress(AdjustmentRefused, WrongValue):
                adjust_charge(
                    charge_id=pk,
                    usage=ending.usage,
                    cost=given[pk]["cost"],
                    reason="The call was settled late.",
                    actor=_SETTLEMENT,
                    now=now,
                )
                adjusted.add(pk)
    return adjusted


def _outcomes(
    endings: list[Settlement],
    given: dict[int, dict[str, Any]],
    spent: list[Spent],
    late: set[int],
) -> list[SettlementResult]:
    results = _results(endings, given, spent)
    before = _earlier_outcomes(given.keys() - {pk for row in spent for pk in row.charges})
    outcomes = []
    for ending, result in zip(endings, results, strict=True):
        if result is None:
            pk = ending.charge.pk
            result = before[pk]._replace(ended=pk in late)
            late = late - {pk}
        outcomes.append(result)
    return outcomes


def _results(
    endings: list[Settlement], given: dict[int, dict[str, Any]], spent: list[Spent]
) -> list[SettlementResult | None]:
    """The result of each ending; None if the statement ended no such charge."""
    after = {row.id: row for row in spent}
    open_yet = {pk for row in spent for pk in row.charges}
    ended = frozenset(open_yet)
    results: list[SettlementResult | None] = []
    for ending in endings:
        pk = ending.charge.pk
        if pk not in ended:
            results.append(None)
            continue
        row = after[ending.charge.allocation_id]
        results.append(SettlementResult(pk in open_yet, given[pk]["cost"], row.left, row.used))
        open_yet.discard(pk)
    return results


def _earlier_outcomes(charges: Collection[int]) -> dict[int, SettlementResult]:
    if not charges:
        return {}
    rows = Charge.objects.filter(pk__in=charges).select_related("allocation")
    return {
        row.pk: SettlementResult(False, row.cost, _tokens_left(row.allocation), row.allocation.used)
        for row in rows
    }


def _tokens_left(allocation: Allocation) -> int:
    return allocation.left if allocation.status == Allocation.Status.ACTIVE else 0
