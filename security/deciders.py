"""Who decides approvals, and which changes need one: reads of the policies."""

from itertools import combinations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User

from security import persons
from security.approvals import ApprovalKind
from security.models import ApprovalPolicy

_PERMISSIONS = "django.contrib.auth.backends.ModelBackend"


def policy_of(kind: ApprovalKind) -> ApprovalPolicy:
    """The policy of a kind; one that is not in force if nobody has set it."""
    found = ApprovalPolicy.objects.select_related("role").filter(kind=kind.slug).first()
    return found or ApprovalPolicy(kind=kind.slug)


def may_decide(user: User | AnonymousUser, kind: ApprovalKind) -> bool:
    """Whether the user has the permission and is of the group that decides this kind."""
    role = policy_of(kind).role
    return user.has_perm(kind.permission) and (
        role is None or user.groups.filter(pk=role.pk).exists()
    )


def has_two_deciders(kind: ApprovalKind) -> bool:
    """Whether at least two persons may decide this kind."""
    users = get_user_model().objects.with_perm(kind.permission, backend=_PERMISSIONS)
    deciders = [{*persons.identities_of_user(user)} for user in users if may_decide(user, kind)]
    return any(one.isdisjoint(other) for one, other in combinations(deciders, 2))
