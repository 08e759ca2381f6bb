"""Import the status, limits, allocations and usage that another system recorded for API keys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice

from common.bulk_copy import copy_new
from common.statements import fetch_unprepared
from keys.audit_actions import Action
from keys.books import sql
from keys.books.services.allocate import threshold
from keys.books.services.import_sessions import IMPORTED_CHARGE, analyse_if_grown
from keys.limits.services import windows
from keys.limits.services.limits import Terms, terms_of
from keys.models import Agent, Allocation, ApiKey, Charge, Limit
from keys.supply import pricing
from keys.supply.services.key_status import write_status
from security import audit
from security.actor import Actor

_BATCH = 1_000
_REASON = "imported"


@dataclass(frozen=True, kw_only=True)
class ImportedStatus:
    """The status of an API key in the other system. Only a cooling key has `cooling_until`."""

    status: str
    reason: str = ""
    cooling_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ImportedCharge:
    """Tokens used at one moment, without their split into input and output."""

    tokens: int
    settled_at: datetime


@dataclass(frozen=True, kw_only=True)
class ImportedAllocation:
    """An allocation of one session on the API key `key_id`, and the charges that used it.

    `closed_at` is None exactly if the status is active; an allocation that used all of `allocated`
    is not active. `rotation_threshold` in tokens; None: the usual share of `allocated`.
    """

    session_id: str
    key_id: str
    status: str
    status_reason: str
    allocated: int
    rotation_threshold: int | None = None
    auto_rotate: bool = True
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    charges: Sequence[ImportedCharge]

    @property
    def used(self) -> int:
        """Tokens of all its charges."""
        return sum(charge.tokens for charge in self.charges)


@dataclass(frozen=True, kw_only=True)
class ImportedBooks:
    """The records of another system about API keys at the moment `as_of`.

    `statuses` and `limits` are by the slug of the key. `agent` gets all `allocations`, which are
    read once. `carried`: by slug, unit and period of a limit, what was carried over into its period
    of `as_of`.
    """

    as_of: datetime
    agent: str
    statuses: Mapping[str, ImportedStatus]
    limits: Mapping[str, Sequence[Terms]]
    allocations: Iterable[ImportedAllocation]
    carried: Mapping[tuple[str, str, str], Decimal] = field(default_factory=dict)


def import_books(books: ImportedBooks, *, actor: Actor, now: datetime) -> None:
    """Write the status, limits, allocations and settled charges of API keys that exist already.

    The first window of each limit is the one of `books.as_of`; it has what the charges used in it
    and what active allocations have left. A charge costs the highest rate of its key, since its
    parts are not known. The status and the limits of keys are in the audit. Joins the
    caller's transaction, which must commit soon: no agent can spend until then. Refusals:
    WrongValue (for a limit).
    """
    windows.take_books_alone()
    locked = ApiKey.objects.select_for_update(of=("self",), no_key=True).order_by("pk")
    # All of them: which ones the allocations are of is known only as these are read.
    api_keys = locked.select_related("price").in_bulk()
    for slug, status in books.statuses.items():
        _import_status(api_keys[slug], status, actor=actor, now=now)
    _import_allocations(books, api_keys)
    # After the charges and allocations, which the first windows count.
    for slug, limits in books.limits.items():
        for terms in limits:
            limit = _import_limit(api_keys[slug], terms, actor=actor, now=now)
            carried = books.carried.get((slug, terms.unit, terms.period), Decimal(0))
            windows.first_window(limit, carried=carried, now=books.as_of)


def _import_status(
    api_key: ApiKey, imported: ImportedStatus, *, actor: Actor, now: datetime
) -> None:
    if (imported.status, imported.reason) != (api_key.status, api_key.status_reason):
        api_key.cooling_until = imported.cooling_until
        write_status(api_key, imported.status, imported.reason, actor, now)


def _import_limit(api_key: ApiKey, terms: Terms, *, actor: Actor, now: datetime) -> Limit:
    limit = Limit.objects.create(
        api_key=api_key,
        scope=api_key.scope,
        unit=terms.unit,
        period=terms.period,
        amount=terms.check(),
        zone=terms.zone,
        reset_hour=terms.reset_hour,
        carry_over_max=terms.check_carry_over(),
    )
    audit.record(
        actor=actor,
        action=Action.LIMIT_SET,
        subject=limit.scope,
        after=terms_of(limit),
        reason=_REASON,
        at=now,
    )
    return limit


def _import_allocations(books: ImportedBooks, api_keys: Mapping[str, ApiKey]) -> None:
    agent = Agent.objects.select_related("cost_centre").get(pk=books.agent)
    allocations = iter(books.allocations)
    while batch := list(islice(allocations, _BATCH)):
        rows, charges = [], []
        for imported in batch:
            row = _allocation(imported, agent, api_keys[imported.key_id], as_of=books.as_of)
            own_charges = list(_charges(imported, row))
            row.used_cost = sum((charge.cost for charge in own_charges), Decimal(0))
            row.allocated_cost = max(row.allocated_cost, row.used_cost)
            rows.append(row)
            charges += own_charges
        copy_new(rows)
        for charge in charges:
            charge.allocation_id = charge.allocation.pk
        copy_new(charges)
        analyse_if_grown(len(charges))
        # Planned each time: the tables grow.
        fetch_unprepared(sql.COUNT_CHARGES, allocations=[row.pk for row in rows])


def _allocation(
    imported: ImportedAllocation, agent: Agent, api_key: ApiKey, *, as_of: datetime
) -> Allocation:
    """The row without its used cost. `warned_at` is set where the alert is imported already."""
    used, at_threshold = imported.used, imported.rotation_threshold
    if at_threshold is None:
        at_threshold = threshold(imported.allocated)
    is_active = imported.status == Allocation.Status.ACTIVE
    return Allocation(
        session_id=imported.session_id,
        agent=agent,
        cost_centre=agent.cost_centre,
        payers=[f"agent:{agent.pk}", *(f"centre:{slug}" for slug in agent.cost_centre.path)],
        api_key=api_key,
        price=api_key.price,
        token_cost_max=api_key.price.token_cost_max,
        asked={"imported": True},
        status=imported.status,
        status_reason=imported.status_reason,
        allocated=imported.allocated,
        allocated_cost=pricing.bound(api_key.price.rates, imported.allocated),
        used=used,
        overrun=used > imported.allocated,
        rotation_threshold=at_threshold,
        auto_rotate=imported.auto_rotate,
        warned_at=as_of if is_active and used >= at_threshold else None,
        created_at=imported.created_at,
        expires_at=imported.expires_at,
        closed_at=imported.closed_at,
    )


def _charges(imported: ImportedAllocation, row: Allocation) -> Iterator[Charge]:
    for number, charge in enumerate(imported.charges):
        yield Charge(
            allocation=row,
            api_key=row.api_key,
            price=row.price,
            idempotency_key=f"{IMPORTED_CHARGE}{number}",
            status=Charge.Status.SETTLED,
            basis=Charge.Basis.IMPORTED,
            tokens=charge.tokens,
            cost=pricing.bound(row.price.rates, charge.tokens),
            created_at=charge.settled_at,
            expires_at=charge.settled_at,
            settled_at=charge.settled_at,
        )
