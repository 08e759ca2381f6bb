"""Import closed sessions with all their calls: many at once, with COPY."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from common.bulk_copy import copy_rows
from common.statements import fetch_unprepared
from keys.books import sql
from keys.books.services.allocate import threshold
from keys.books.services.usage import NOTHING, Usage
from keys.limits.services import windows
from keys.models import Agent, Allocation, ApiKey, Charge, CostCentre, Price, ServedModel, Window
from keys.refusals import WrongValue
from keys.supply import pricing

# The prefix of the idempotency keys of imported charges, whose calls no agent of Butler made.
IMPORTED_CHARGE = "import-"
_HOLD_LIFE = timedelta(minutes=10)
_SESSION_LIFE = timedelta(hours=8)


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class CallKind:
    """What calls have in common: the model, what they used, how they ended.

    Only settled calls have usage. Calls that are alike refer to one object, whose cost is
    calculated once. `cost` in USD: what another system recorded; None is what the model costs on
    the API key. `has_provider_cost`: the provider reported a cost, the same as Butler's.
    """

    model: str
    usage: Usage = NOTHING
    held_tokens: int
    status: str = Charge.Status.SETTLED
    basis: str = Charge.Basis.PROVIDER
    cost: Decimal | None = None
    has_provider_cost: bool = False
    route: str = "/v1/chat/completions"


class PastCall(NamedTuple):
    """One call, which began and ended in the past."""

    kind: CallKind
    began_at: datetime
    ended_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PastSession:
    """A session that is closed, on the API key `key_id`, with its calls in their order.

    `cost_centre`: who paid; blank is the agent's. `origin`: what the allocation keeps of where the
    session comes from, as JSON.
    """

    session_id: str
    agent: str
    key_id: str
    cost_centre: str = ""
    label: str = ""
    status: str = Allocation.Status.COMPLETED
    status_reason: str = ""
    origin: Any = True
    allocated: int
    created_at: datetime
    closed_at: datetime
    calls: Sequence[PastCall]

    @property
    def used(self) -> int:
        """Tokens of all its calls."""
        return sum(call.kind.usage.tokens for call in self.calls)


@transaction.atomic(durable=True)
def import_sessions(sessions: Sequence[PastSession], *, now: datetime) -> int:
    """Write sessions, their charges and what these add to slices and windows; returns how many
    charges.

    Each charge costs what its model costs on its API key now, unless its kind has a cost. There are
    no decisions about the key and no alerts. Agents cannot spend until the transaction ends: import
    some thousand sessions at a time. Refusals: WrongValue (a model that the key has no price for).
    """
    windows.take_books_alone()
    return write_sessions(sessions, now=now)


def write_sessions(sessions: Sequence[PastSession], *, now: datetime) -> int:
    """As `import_sessions`, in the caller's transaction, which has called `take_books_alone`."""
    windows.roll_over(Window.objects.all(), now=now)
    price_list = _PriceList()
    ids = [row.id for row in fetch_unprepared(sql.RESERVE_ALLOCATIONS, number=len(sessions))]
    agents = dict(Agent.objects.values_list("pk", "cost_centre"))
    centres = CostCentre.objects.in_bulk()
    allocations = (
        _allocation(
            number, session, centres[session.cost_centre or agents[session.agent]], price_list
        )
        for number, session in zip(ids, sessions, strict=True)
    )
    charges = (
        _charge(allocation, number, session.key_id, call, price_list)
        for allocation, session in zip(ids, sessions, strict=True)
        for number, call in enumerate(session.calls)
    )
    copy_rows(Allocation, _ALLOCATION_COLUMNS, allocations)
    copy_rows(Charge, _CHARGE_COLUMNS, charges)
    imported = sum(len(session.calls) for session in sessions)
    analyse_if_grown(imported)
    # Planned each time: the tables grow.
    fetch_unprepared(sql.COUNT_CHARGES, allocations=ids)
    fetch_unprepared(sql.COUNT_IN_WINDOWS, allocations=ids)
    return imported


def analyse_if_grown(imported: int) -> None:
    """Let PostgreSQL look at the tables if it knows of fewer charges than were imported: a plan for
    a few rows takes minutes for many. Otherwise it looks by itself, but not in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'keys_charge'::regclass")
        (known,) = cursor.fetchone()
        if known < imported:
            cursor.execute("ANALYZE keys_allocation, keys_charge")


class _PriceList:
    """What models cost on each API key, and the cost of each kind of call, calculated once."""

    def __init__(self) -> None:
        self.api_keys = ApiKey.objects.select_related("price").in_bulk()
        served = ServedModel.objects.select_related("price", "model")
        self._prices = {(each.api_key_id, each.model.name): each.price for each in served}
        self._figures: dict[tuple[str, CallKind], _Figures] = {}

    def figures(self, key_id: str, call: PastCall) -> "_Figures":
        """What the call counts for on this API key."""
        kind = call.kind
        if found := self._figures.get((key_id, kind)):
            return found
        price = self._price(key_id, kind)
        figures = _figures(kind, price, at=call.ended_at)
        if not any(variant.starts for variant in price.rates.variants):
            self._figures[key_id, kind] = figures
        return figures

    def _price(self, key_id: str, kind: CallKind) -> Price:
        if price := self._prices.get((key_id, kind.model)):
            return price
        if kind.cost is not None:
            return self.api_keys[key_id].price
        raise WrongValue(
            f"The API key {key_id} has no price for the model {kind.model}.", field="model"
        )


class _Figures(NamedTuple):
    """What a call costs, and the columns of its charge that all calls of its kind share."""

    cost: Decimal
    columns: tuple[Any, ...]


def _figures(kind: CallKind, price: Price, *, at: datetime) -> _Figures:
    tokens = kind.usage.tokens
    cost = kind.usage.cost(price, at=at) if kind.cost is None else kind.cost
    columns = (
        price.pk,
        kind.model,
        kind.route,
        kind.status,
        kind.basis,
        kind.held_tokens,
        pricing.bound(price.rates, kind.held_tokens),
        *kind.usage.as_columns().values(),
        cost,
        cost if kind.has_provider_cost else None,
        tokens > kind.held_tokens,
    )
    return _Figures(cost, columns)


_CHARGE_COLUMNS = (
    "allocation_id",
    "api_key_id",
    "idempotency_key",
    "created_at",
    "expires_at",
    "settled_at",
    "price_id",
    "model",
    "route",
    "status",
    "basis",
    "held_tokens",
    "held_cost",
    *NOTHING.as_columns(),
    "cost",
    "provider_cost",
    "overrun",
)


def _charge(
    allocation: int, number: int, key_id: str, call: PastCall, price_list: _PriceList
) -> tuple[Any, ...]:
    status = call.kind.status
    prefix = IMPORTED_CHARGE if call.kind.basis == Charge.Basis.IMPORTED else "call-"
    return (
        allocation,
        key_id,
        f"{prefix}{number}",
        call.began_at,
        call.ended_at if status == Charge.Status.EXPIRED else call.began_at + _HOLD_LIFE,
        call.ended_at if status == Charge.Status.SETTLED else None,
        *price_list.figures(key_id, call).columns,
    )


_ALLOCATION_COLUMNS = (
    "id",
    "session_id",
    "agent_id",
    "cost_centre_id",
    "payers",
    "api_key_id",
    "price_id",
    "token_cost_max",
    "asked",
    "label",
    "status",
    "status_reason",
    "allocated",
    "allocated_cost",
    "used",
    "used_cost",
    "held",
    "held_cost",
    "overrun",
    "rotation_threshold",
    "auto_rotate",
    "wire_format",
    "provider_expanded",
    "created_at",
    "expires_at",
    "closed_at",
)


def _allocation(
    number: int, session: PastSession, centre: CostCentre, price_list: _PriceList
) -> tuple[Any, ...]:
    price = price_list.api_keys[session.key_id].price
    costs = (price_list.figures(session.key_id, call).cost for call in session.calls)
    used_cost = sum(costs, Decimal(0))
    return (
        number,
        session.session_id,
        session.agent,
        centre.pk,
        [f"agent:{session.agent}", *(f"centre:{slug}" for slug in centre.path)],
        session.key_id,
        price.pk,
        price.token_cost_max,
        Jsonb({"imported": session.origin}),
        session.label,
        session.status,
        session.status_reason,
        session.allocated,
        max(pricing.bound(price.rates, session.allocated), used_cost),
        session.used,
        used_cost,
        0,
        0,
        session.used > session.allocated,
        threshold(session.allocated),
        True,
        "",
        False,
        session.created_at,
        session.created_at + _SESSION_LIFE,
        session.closed_at,
    )
