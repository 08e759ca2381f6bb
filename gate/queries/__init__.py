"""Reads of the app."""

from django.contrib.auth.models import Group

from gate import roles
from gate.access import access_in_request, access_of
from gate.queries.access_review import PersonAccess, access_review
from gate.queries.audience import AudienceChange, audience_change
from gate.queries.csv_export import write_access_review
from gate.queries.people import may_do_as_much, may_manage
from gate.queries.sign_ins import second_factors, sign_in_counts, sign_ins_of
from gate.rows import bindings

__all__ = [
    "AudienceChange",
    "PersonAccess",
    "access_in_request",
    "access_of",
    "access_review",
    "audience_change",
    "bindings",
    "is_role",
    "may_do_as_much",
    "may_manage",
    "second_factors",
    "sign_in_counts",
    "sign_ins_of",
    "write_access_review",
]


def is_role(group: Group) -> bool:
    """Whether the group is that of a role."""
    return group.name in roles.roles()
