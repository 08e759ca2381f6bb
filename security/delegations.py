"""In whose place a person decides: reads of delegations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from security import persons
from security.models import Delegation


def delegations_to(user: Any, *, now: datetime) -> Sequence[Delegation]:
    """The delegations by which the user decides for others now, the first named first; read once
    for each request. A person who was switched off decides nothing, and so does their deputy."""
    if not getattr(user, "pk", None) or getattr(user, "is_deputy", None) is False:
        return []
    found: Sequence[Delegation] | None = getattr(user, "_delegations", None)
    if found is None:
        found = user._delegations = list(_to(user, now))
    return [each for each in found if each.starts_at <= now < each.ends_at]


def is_deputy(now: datetime) -> Exists:
    """Whether a person decides for another at `now`, as a column of a query of persons.

    Who reads the person of a request adds it as `is_deputy`, so that no page asks for delegations
    of the many who have none.
    """
    return Exists(Delegation.objects.in_force(now).filter(deputy=OuterRef("pk")))


def locked_delegations_to(user: User, *, now: datetime) -> list[Delegation]:
    """The same, locked: none of them is revoked before the caller's transaction ends."""
    locked = _to(user, now).select_for_update(of=("self",), no_key=True)
    return list(locked)


def delegations_of(user: User, *, now: datetime) -> QuerySet[Delegation]:
    """The delegations that the user named, or that are to the user, which are not over."""
    involved = Delegation.objects.filter(Q(absent=user) | Q(deputy=user), ends_at__gt=now)
    return involved.standing().select_related("absent", "deputy").order_by("starts_at", "pk")


def both_persons(delegation: Delegation) -> list[str]:
    """The identities of both persons: a decision of the deputy counts for the two of them."""
    pair = (delegation.deputy, delegation.absent)
    return sorted({each for user in pair for each in persons.identities_of_user(user)})


def _to(user: User, now: datetime) -> QuerySet[Delegation]:
    both_active = {"absent__is_active": True, "deputy__is_active": True}
    rows = Delegation.objects.in_force(now).filter(deputy=user, **both_active)
    return rows.select_related("absent", "deputy").order_by("pk")
