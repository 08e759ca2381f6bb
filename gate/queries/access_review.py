"""Who may what: every person with their roles, rights and cost centres, for a review."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User

from gate import roles


class PersonAccess(NamedTuple):
    """What one person may do. `rights` are sentences; `others` are groups that are no roles and
    permissions given to the person alone; without `cost_centres` the person sees all rows."""

    person: int
    username: str
    email: str
    status: str
    roles: list[str]
    rights: list[str]
    others: list[str]
    cost_centres: list[str]
    last_sign_in: datetime | None


def access_review() -> Iterator[PersonAccess]:
    """Every person, by user name; four queries."""
    people = User.objects.order_by("username").prefetch_related(
        "groups", "user_permissions", "centre_bindings"
    )
    return map(_access, people)


def _access(person: User) -> PersonAccess:
    groups = {group.name for group in person.groups.all()}
    held = [role for role in roles.roles().values() if role.name in groups]
    rights = {right.meaning: None for role in held for right in role.rights}
    others = sorted(groups - roles.roles().keys())
    return PersonAccess(
        person=person.pk,
        username=person.username,
        email=person.email,
        status=_status(person),
        roles=[role.name for role in held],
        rights=["Everything."] if person.is_superuser else list(rights),
        others=others + sorted(each.codename for each in person.user_permissions.all()),
        cost_centres=sorted(each.cost_centre_id for each in person.centre_bindings.all()),
        last_sign_in=person.last_login,
    )


def _status(person: User) -> str:
    if not person.is_active:
        return "switched off"
    if person.is_superuser:
        return "superuser"
    return "active" if person.last_login else "invited"
