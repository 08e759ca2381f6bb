"""Allocations as those who may see them see them."""

from typing import Any

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from keys.models import Allocation
from keys.queries.credentials import Bearer
from keys.refusals import UnknownAllocation
from keys.selection import from_json


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


def decision_of(allocation: Allocation) -> dict[str, Any] | None:
    """Why it got its key: every candidate and why it won or lost; None if it was imported."""
    decision = getattr(allocation, "decision", None)
    return decision and from_json(decision.verdicts)


def _one(allocations: QuerySet[Allocation], session_id: str) -> Allocation:
    allocation = allocations.filter(session_id=session_id).first()
    if allocation is None:
        raise UnknownAllocation(f"There is no allocation {session_id}.", session_id=session_id)
    return allocation
