"""The access of a person: roles and cost centres."""

from typing import NamedTuple

from django.contrib.auth.models import User

from gate import roles
from gate.models import CentreBinding


class Access(NamedTuple):
    """What a person may do: the names of roles, and the cost centres they are bound to (none: all
    rows)."""

    roles: frozenset[str]
    centres: frozenset[str]


def access_of(person: User) -> Access:
    """The access that the person has."""
    groups = person.groups.values_list("name", flat=True)
    bindings = CentreBinding.objects.filter(person=person)
    return Access(
        frozenset(groups) & roles.roles().keys(),
        frozenset(bindings.values_list("cost_centre", flat=True)),
    )
