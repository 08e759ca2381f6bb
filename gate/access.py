"""The access of a person: roles and cost centres."""

from typing import Any, NamedTuple

from django.contrib.auth.models import Group, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from gate import roles
from gate.models import CentreBinding


class Access(NamedTuple):
    """What a person may do: the names of roles, and the cost centres they are bound to (none: all
    rows)."""

    roles: frozenset[str]
    centres: frozenset[str]


def access_of(person: User) -> Access:
    """The access that the person has; one query."""
    groups = Group.objects.filter(user=OuterRef("pk")).values("name")
    centres = CentreBinding.objects.filter(person=OuterRef("pk")).values("cost_centre")
    rows = User.objects.filter(pk=person.pk)
    names, bound = rows.values_list(ArraySubquery(groups), ArraySubquery(centres)).first() or (
        [],
        [],
    )
    return Access(frozenset(names) & roles.roles().keys(), frozenset(bound))


def access_in_request(person: Any) -> Access:
    """The same, read once for each request of the person."""
    found: Access | None = getattr(person, "_access", None)
    if found is None:
        found = person._access = access_of(person)
    return found
