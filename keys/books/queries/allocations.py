"""Allocations as those who may see them see them."""

from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from keys import database
from keys.books.selection import from_json
from keys.identity.queries.credentials import Bearer
from keys.models import Allocation, ApiKey
from keys.refusals import UnknownAllocation

# By hand, since every call of the API asks one of them: a queryset takes longer than PostgreSQL.
_KEY = """
SELECT k.provider_id, k.model, (d.verdicts ->> 'capacity')::bigint
  FROM keys_apikey k LEFT JOIN keys_decision d ON d.allocation_id = %(allocation)s
 WHERE k.slug = %(key)s
"""
_OWN = """
SELECT id FROM keys_allocation
 WHERE session_id = %(wanted)s AND agent_id = %(agent)s
   AND coalesce(%(session)s::text, session_id) = session_id
"""


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
    """One of those. Refusals: UnknownAllocation, also when it is another's."""
    return _one(visible_allocations(bearer), session_id)


def own_allocation(session_id: str, *, bearer: Bearer) -> Allocation:
    """The bearer's own allocation, to change it: reading all is not changing all.

    Refusals: UnknownAllocation.
    """
    return _one(visible_allocations(bearer).filter(agent=bearer.agent), session_id)


def own_allocation_id(session_id: str, *, bearer: Bearer) -> int:
    """The primary key of `own_allocation`. Refusals: UnknownAllocation."""
    found = database.rows(_OWN, wanted=session_id, agent=bearer.agent, session=bearer.session_id)
    if not found:
        raise _unknown(session_id)
    return found[0][0]


def with_key(allocation: Allocation) -> Allocation:
    """An allocation fresh from its service, with what `visible_allocation` adds to it."""
    ((provider, model, capacity),) = database.rows(
        _KEY, allocation=allocation.pk, key=allocation.api_key_id
    )
    allocation.api_key = ApiKey(slug=allocation.api_key_id, provider_id=provider, model=model)
    allocation.available_capacity = capacity
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


def _unknown(session_id: str) -> UnknownAllocation:
    return UnknownAllocation(f"There is no allocation {session_id}.", session_id=session_id)
