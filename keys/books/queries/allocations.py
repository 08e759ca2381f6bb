"""Allocations as those who may see them see them."""

from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from common.statements import Statement, fetch
from keys.books.selection import from_json
from keys.identity.queries.credentials import Bearer
from keys.models import Allocation, ApiKey
from keys.refusals import AllocationNotFound


class KeyRow(NamedTuple):
    """The key of an allocation, and what was free on it when it was chosen."""

    slug: str
    provider_id: str
    model: str
    available_capacity: int | None


class OwnRow(NamedTuple):
    """An allocation of its bearer."""

    id: int


# By hand, since every call of the API asks one of them: a queryset takes longer than PostgreSQL.
KEY = Statement(
    """
    SELECT k.slug, k.provider_id, k.model,
           (d.verdicts ->> 'capacity')::bigint AS available_capacity
      FROM keys_apikey k LEFT JOIN keys_decision d ON d.allocation_id = %(allocation)s
     WHERE k.slug = %(key)s
    """,
    KeyRow,
)
OWN = Statement(
    """
    SELECT id FROM keys_allocation
     WHERE session_id = %(wanted)s AND agent_id = %(agent)s
       AND coalesce(%(session)s::text, session_id) = session_id
    """,
    OwnRow,
)


def visible_allocations(bearer: Bearer) -> QuerySet[Allocation]:
    """What this bearer may read: its session, its agent's, or all; with key and capacity.

    `available_capacity` is text: the tokens free on the chosen key when it was chosen, or None.
    """
    found = Allocation.objects.select_related("api_key").annotate(
        available_capacity=KeyTextTransform("capacity", "decision__verdicts")
    )
    if bearer.session_id:
        return found.filter(session_id=bearer.session_id)
    return found if bearer.sees_all else found.filter(agent=bearer.agent)


def visible_allocation(session_id: str, *, bearer: Bearer) -> Allocation:
    """One of those. Refusals: AllocationNotFound, also when it is another's."""
    return _one(visible_allocations(bearer), session_id)


def own_allocation(session_id: str, *, bearer: Bearer) -> Allocation:
    """The bearer's own allocation, to change it: reading all is not changing all.

    Refusals: AllocationNotFound.
    """
    return _one(visible_allocations(bearer).filter(agent=bearer.agent), session_id)


def own_allocation_id(session_id: str, *, bearer: Bearer) -> int:
    """The primary key of `own_allocation`. Refusals: AllocationNotFound."""
    found = fetch(OWN, wanted=session_id, agent=bearer.agent, session=bearer.session_id)
    if not found:
        raise _unknown(session_id)
    return found[0].id


def with_key(allocation: Allocation) -> Allocation:
    """An allocation fresh from its service, with what `visible_allocation` adds to it."""
    ((*key, capacity),) = fetch(KEY, allocation=allocation.pk, key=allocation.api_key_id)
    # As of a queryset's `only`: what else is asked of it is read then.
    allocation.api_key = ApiKey.from_db(DEFAULT_DB_ALIAS, KeyRow._fields[:-1], key)
    vars(allocation)["available_capacity"] = capacity
    return allocation


def decision_of(allocation: Allocation) -> dict[str, Any] | None:
    """Why it got its key: every candidate and why it won or lost; None if it was imported."""
    decision = getattr(allocation, "decision", None)
    return decision and from_json(decision.verdicts)


def _one(allocations: QuerySet[Allocation], session_id: str) -> Allocation:
    allocation = allocations.filter(session_id=session_id).first()
    if allocation is None:
        raise _unknown(session_id)
    return allocation


def _unknown(session_id: str) -> AllocationNotFound:
    return AllocationNotFound(session_id=session_id)
