"""Hold tokens of an allocation before a call, and extend the holds of running calls."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec
from django.conf import settings
from psycopg.types.json import Jsonb

from common.refusal import Refusal
from common.statements import Step, Work, fetch, fetch_together, instance, run
from keys.books import sql, transactions
from keys.books.sql.hold import HoldResult, HoldRow
from keys.books.sql.locks import LockedRow
from keys.models import Charge
from keys.refusals import (
    AgentDisabled,
    AllocationClosed,
    AllocationExhausted,
    AllocationNotFound,
    BudgetInFlight,
    Frozen,
    HeldBefore,
    IdempotencyMismatch,
    KeyCannotServe,
    KeyChanged,
    KeyFrozen,
    KeyFull,
    RateLimited,
    WrongValue,
)


class HoldRequest(NamedTuple):
    """A request to hold from `least` to `most` tokens, as many as are left.

    `api_key`: the key the call is made with; if blank, the key of the allocation, without a check
    whether it can serve. `guest`: it may be another key than the allocation's, see `hold_as_guest`.
    `price_id`, `token_cost`: the price of the called model, and the most that one of its tokens can
    cost (USD); None: those of the allocation. `call_cost`: the most that the call can cost beside
    its tokens (USD). `asked_model`: the model that the client named, if
    `model` is another one. `request_digest` tells a repeated request from a different one. `fresh`:
    the idempotency key is new, so no earlier charge has it. `patient`: it takes less than `most`
    only while nothing else of the allocation is held; else it is refused with BudgetInFlight.
    """

    allocation_id: int
    least: int
    most: int
    idempotency_key: str
    api_key: str = ""
    request_digest: bytes | None = None
    model: str = ""
    route: str = ""
    wire_format: str = ""
    ttl_seconds: int | None = None
    fresh: bool = False
    asked_model: str = ""
    price_id: int | None = None
    token_cost: Decimal | None = None
    call_cost: Decimal = Decimal(0)
    guest: bool = False
    patient: bool = False


def hold(
    *,
    allocation_id: int,
    tokens: int,
    idempotency_key: str,
    model: str = "",
    ttl_seconds: int | None = None,
    now: datetime,
) -> tuple[Charge, bool]:
    """Set aside `tokens`, the most a call can use, until it is settled or the hold expires.

    Returns the charge and whether it was created: the same idempotency key is the same charge.
    Refusals: AllocationExhausted, AllocationClosed, AllocationNotFound, AgentDisabled, Frozen,
    RateLimited, IdempotencyMismatch, WrongValue.
    """
    wanted = HoldRequest(
        allocation_id, tokens, tokens, idempotency_key, model=model, ttl_seconds=ttl_seconds
    )
    try:
        (held,) = hold_many([wanted], now=now)
        if isinstance(held, Refusal):
            raise held
        return _charge(allocation_id, idempotency_key), True
    except HeldBefore:
        charge = _charge(allocation_id, idempotency_key)
        if charge.held_tokens != tokens:
            raise IdempotencyMismatch(charge_id=charge.pk) from None
        return charge, False


def _charge(allocation_id: int, idempotency_key: str) -> Charge:
    (row,) = fetch(sql.CHARGE, allocation=allocation_id, idempotency_key=idempotency_key)
    return instance(Charge, row)


def hold_many(wanted: Iterable[HoldRequest], *, now: datetime) -> list[HoldResult | Refusal]:
    """Hold tokens for many calls at once. Returns a result or a refusal for each, in their order.

    Returned refusals: those of `hold`, and HeldBefore, BudgetInFlight, KeyChanged, KeyCannotServe,
    KeyFrozen. Raises WrongValue for a number of tokens below zero.
    """
    return run(holding(wanted, now=now))


def holding(wanted: Iterable[HoldRequest], *, now: datetime) -> Work[list[HoldResult | Refusal]]:
    """The work of `hold_many`.

    One statement, which is its own transaction, and more statements if calls of the batch depend on
    what earlier ones leave.
    """
    wanted = list(wanted)
    if any(not 0 <= one.least <= one.most for one in wanted):
        raise WrongValue(
            "Use zero or more tokens for a hold, with a maximum that is not below the minimum.",
            field="tokens",
        )
    if len(wanted) == 1 and not wanted[0].guest:
        [held] = yield (_hold_one(wanted[0], now=now),)
        if held:
            return held
    answers: dict[int, HoldResult | Refusal] = {}
    paced: dict[int, str] = {}
    waiting = set(range(len(wanted)))
    doubtful = {n for n in waiting if not wanted[n].fresh}
    while waiting:
        [rows] = yield (_set_aside({n: wanted[n] for n in sorted(waiting)}, now=now),)
        answers |= _answers(rows, wanted)
        # While this waited for a lock, the same request may have held the tokens: try once more.
        refused = {row.n for row in rows if row.outcome in _MAY_BE_EARLIER} & doubtful
        doubtful -= refused
        waiting = {row.n for row in rows if row.outcome == "again"} | refused
        paced |= {row.n: row.api_key for row in rows if row.outcome == "paced"}
    while paced:
        # A separate statement: the next one sees every place that was taken while it waited.
        pace: Step = (sql.PACE, {"keys": list(set(paced.values()))})
        _, rows = yield pace, _set_aside({n: wanted[n] for n in paced}, now=now, paced=True)
        answers |= _answers(rows, wanted, in_pace=True)
        paced = {row.n: row.api_key for row in rows if row.outcome == "again"}
    return [answers[n] for n in range(len(wanted))]


def hold_as_guest(request: HoldRequest, *, now: datetime) -> HoldResult:
    """Set aside for a call on `request.api_key`, which is not the key that the allocation is on.

    What the call may use is committed in that key's windows for as long as it is held, as for calls
    in flight of a session that was rotated away. Refusals: those of `hold_many`, and KeyFull when
    the key's windows have no room.
    """
    held = _try_as_guest(request._replace(guest=True), now=now)
    if isinstance(held, Refusal):
        raise held
    return held


@transactions.in_books
def _try_as_guest(request: HoldRequest, *, now: datetime) -> HoldResult | Refusal:
    scope = f"key:{request.api_key}"
    # Before all other locks, as everywhere.
    fetch(sql.PACE, keys=[request.api_key])
    books = transactions.lock(allocations=[request.allocation_id], scopes=[scope], now=now)
    windows = [window for window in books.windows if window.scope == scope]
    room = min((_room(window, request) for window in windows), default=request.most)
    if room < request.least:
        return KeyFull(key_id=request.api_key)
    request = request._replace(most=min(request.most, room))
    [[row]] = fetch_together(_set_aside({0: request}, now=now, paced=True))
    answer = _answers([row], [request], in_pace=True).get(0) or KeyChanged(key_id=request.api_key)
    if isinstance(answer, HoldResult):
        transactions.move({scope: (answer.tokens, answer.cost)})
    return answer


def _room(window: LockedRow, request: HoldRequest) -> int:
    """Tokens that fit into a window; -1 if the call's cost beside them does not."""
    free = max(window.amount - window.used - window.committed, Decimal(0))
    if window.unit == "tokens":
        return int(free)
    if request.call_cost > free:
        return -1
    token_cost = request.token_cost
    return int((free - request.call_cost) / token_cost) if token_cost else _UNLIMITED


def extend_holds(charges: Iterable[int], *, ttl_seconds: int, now: datetime) -> None:
    """Extend the holds of these charges, whose calls still run, to `ttl_seconds` from `now`."""
    until = now + timedelta(seconds=ttl_seconds)
    fetch(sql.EXTEND_HOLDS, charges=list(charges), until=until)


def _hold_one(one: HoldRequest, *, now: datetime) -> Step:
    """Hold for a single call in the common case; without a row `_set_aside` must decide."""
    return (
        sql.HOLD_ONE,
        {
            "allocation": one.allocation_id,
            "least": one.least,
            "most": one.most,
            "patient": one.patient,
            "api_key": one.api_key,
            "idempotency_key": one.idempotency_key,
            "digest": one.request_digest,
            "model": one.model,
            "asked_model": one.asked_model,
            "price": one.price_id,
            "token_cost": one.token_cost,
            "call_cost": one.call_cost,
            "route": one.route,
            "wire_format": one.wire_format,
            "now": now,
            "until": _until(one, now),
        },
    )


def _until(one: HoldRequest, now: datetime) -> datetime:
    return now + timedelta(seconds=one.ttl_seconds or settings.HOLD_SECONDS)


def _set_aside(wanted: dict[int, HoldRequest], *, now: datetime, paced: bool = False) -> Step:
    rows = [_as_json(n, one, now) for n, one in wanted.items()]
    given = Jsonb(rows, dumps=msgspec.json.encode)
    return sql.HOLD, {"holds": given, "now": now, "paced": paced}


def _as_json(n: int, one: HoldRequest, now: datetime) -> dict[str, object]:
    return {
        "n": n,
        "allocation": one.allocation_id,
        "api_key": one.api_key,
        "least": one.least,
        "most": one.most,
        "idempotency_key": one.idempotency_key,
        "digest": one.request_digest.hex() if one.request_digest else None,
        "model": one.model,
        "asked_model": one.asked_model,
        "price": one.price_id,
        "token_cost": None if one.token_cost is None else str(one.token_cost),
        "call_cost": str(one.call_cost),
        "guest": one.guest,
        "patient": one.patient,
        "route": one.route,
        "wire_format": one.wire_format,
        "until": _until(one, now).isoformat(),
    }


def _answers(
    rows: list[HoldRow], wanted: list[HoldRequest], *, in_pace: bool = False
) -> dict[int, HoldResult | Refusal]:
    """The results and refusals of the decided holds, by their position in the batch."""
    answers: dict[int, HoldResult | Refusal] = {}
    for row in rows:
        if row.outcome == "held":
            answers[row.n] = _charge_of(row, wanted[row.n])
        elif row.outcome != "again" and (in_pace or row.outcome != "paced"):
            answers[row.n] = _REFUSALS[row.outcome](row, wanted[row.n])
    return answers


def _charge_of(row: HoldRow, one: HoldRequest) -> HoldResult:
    return HoldResult(
        row.charge,
        one.allocation_id,
        row.api_key,
        row.price,
        row.tokens,
        row.cost,
        row.key_version,
        row.left,
    )


def _no_tokens(row: HoldRow, one: HoldRequest) -> Refusal:
    if one.patient and row.held and row.fits_alone:
        return BudgetInFlight(needed=one.least, **row.budget)
    return AllocationExhausted(needed=one.least, **row.budget)


def _allocation_closed(row: HoldRow, one: HoldRequest) -> Refusal:
    status = "expired" if row.outcome == "expired" else row.status
    return AllocationClosed(status=status, needed=one.least, **row.budget)


def _held_before_refusal(row: HoldRow, one: HoldRequest) -> Refusal:
    return HeldBefore(
        charge_id=row.earlier,
        charge_status=row.earlier_status,
        same=row.earlier_digest == one.request_digest,
    )


def _key_cannot_serve(row: HoldRow, one: HoldRequest) -> Refusal:
    return KeyCannotServe(
        key_id=row.api_key,
        status=row.status,
        until=row.until,
    )


def _frozen(row: HoldRow, one: HoldRequest) -> Refusal:
    scope = row.frozen or ""
    is_of_key = scope.startswith(("key:", "provider:"))
    return KeyFrozen(scope=scope) if is_of_key else Frozen(scope=scope)


def _rate_limited(row: HoldRow, one: HoldRequest) -> Refusal:
    return RateLimited(
        key_id=row.api_key,
        until=row.until,
    )


_UNLIMITED = 10**12
_MAY_BE_EARLIER = {"small", "closed"}
_REFUSALS: dict[str, Callable[[HoldRow, HoldRequest], Refusal]] = {
    "small": _no_tokens,
    "closed": _allocation_closed,
    "expired": _allocation_closed,
    "earlier": _held_before_refusal,
    "key": _key_cannot_serve,
    "paced": _rate_limited,
    "unknown": lambda row, one: AllocationNotFound(allocation_id=one.allocation_id),
    "disabled": lambda row, one: AgentDisabled(),
    "frozen": _frozen,
    "rotated": lambda row, one: KeyChanged(key_id=row.api_key),
}
