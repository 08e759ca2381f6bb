"""Who decides approvals, and which changes need one: reads of the policies."""

from datetime import datetime
from itertools import combinations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from security import persons
from security.approvals import ApprovalKind, all_kinds
from security.models import Approval, ApprovalPolicy

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


def is_decider(user: User, approval: Approval) -> bool:
    """Whether the user decides this approval: those of its kind, and did not ask for it."""
    kind = all_kinds().get(approval.kind)
    asked = persons.identities_of_user(user)
    return kind is not None and may_decide(user, kind) and not {*asked} & {*approval.asked_persons}


def has_two_deciders(kind: ApprovalKind) -> bool:
    """Whether at least two persons may decide this kind."""
    users = get_user_model().objects.with_perm(kind.permission, backend=_PERMISSIONS)
    deciders = [{*persons.identities_of_user(user)} for user in users if may_decide(user, kind)]
    return any(one.isdisjoint(other) for one, other in combinations(deciders, 2))


def approvals_to_decide(user: User, *, now: datetime) -> QuerySet[Approval]:
    """What waits for the user, the oldest first: of the kinds that they decide, and not asked for
    by themselves."""
    kinds = [kind.slug for kind in all_kinds().values() if user.has_perm(kind.permission)]
    of_others = ApprovalPolicy.objects.exclude(role=None).exclude(role__in=user.groups.all())
    waiting = Approval.objects.waiting().filter(kind__in=kinds, expires_at__gt=now)
    return (
        waiting.exclude(kind__in=of_others.values("kind"))
        .exclude(asked_persons__overlap=persons.identities_of_user(user))
        .order_by("asked_at")
    )
