"""Who decides approvals, and which changes need one: reads of the policies."""

from collections.abc import Iterable
from datetime import datetime
from itertools import combinations
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from common.admin.visible_rows import visible_to, within
from security import persons
from security.approvals import ApprovalKind, all_kinds
from security.delegations import both_persons, delegations_to
from security.models import Approval, ApprovalPolicy, Delegation

_PERMISSIONS = "django.contrib.auth.backends.ModelBackend"
VIEW = "security.view_approval"


class Standing(NamedTuple):
    """By what a person decides: alone, or as the deputy of another; and for which persons the
    decision counts."""

    persons: list[str]
    delegation: Delegation | None = None

    @property
    def for_whom(self) -> str:
        """The user name of the absent person; empty for a decision of one's own."""
        return self.delegation.absent.username if self.delegation else ""


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


def is_decider(user: User, approval: Approval, *, now: datetime) -> bool:
    """Whether the user decides this approval, alone or for another: of a kind that one of them
    decides, and asked for by neither."""
    possible = standings(user, approval, delegations_to(user, now=now))
    return any(not {*each.persons} & {*approval.asked_persons} for each in possible)


def standings(user: User, approval: Approval, delegations: Iterable[Delegation]) -> list[Standing]:
    """By what the user could decide the approval, were it not for who asked; alone comes first."""
    kind = all_kinds().get(approval.kind)
    if kind is None:
        return []
    row = Approval.objects.filter(pk=approval.pk)
    found = []
    if may_decide(user, kind) and visible_to(user, row).exists():
        found.append(Standing(persons.identities_of_user(user)))
    for each in delegations:
        seen = visible_to(each.absent, _of_part(each, row))
        if may_decide(each.absent, kind) and seen.exists():
            found.append(Standing(both_persons(each), each))
    return found


def has_two_deciders(kind: ApprovalKind) -> bool:
    """Whether at least two persons may decide this kind."""
    users = get_user_model().objects.with_perm(kind.permission, backend=_PERMISSIONS)
    deciders = [{*persons.identities_of_user(user)} for user in users if may_decide(user, kind)]
    return any(one.isdisjoint(other) for one, other in combinations(deciders, 2))


def approvals_to_decide(user: User, *, now: datetime) -> QuerySet[Approval]:
    """What waits for the user, the oldest first: of the kinds that they decide, alone or for
    another, and not asked for by themselves or that other."""
    found = own_approvals(user, now=now)
    for each in delegations_to(user, now=now):
        found = found | approvals_for(each, now=now)
    return found.order_by("asked_at")


def own_approvals(user: User, *, now: datetime) -> QuerySet[Approval]:
    """What waits for the user in their own right."""
    return visible_to(user, _waiting(user, persons.identities_of_user(user), now))


def approvals_for(delegation: Delegation, *, now: datetime) -> QuerySet[Approval]:
    """What the deputy decides in the place of the absent person."""
    waiting = _waiting(delegation.absent, both_persons(delegation), now)
    return visible_to(delegation.absent, _of_part(delegation, waiting))


def visible_approvals(user: Any, *, now: datetime) -> QuerySet[Approval]:
    """The approvals that the user may look at; a deputy also those that wait for the absent
    person, and those that they decided for that person."""
    rows = Approval.objects.all()
    found = visible_to(user, rows) if user.has_perm(VIEW) else rows.none()
    for each in delegations_to(user, now=now):
        found = found | approvals_for(each, now=now) | rows.filter(delegation=each)
    return found


def may_see_approvals(user: Any, *, now: datetime) -> bool:
    """Whether there is an inbox of approvals for the user."""
    return user.has_perm(VIEW) or bool(delegations_to(user, now=now))


def _of_part(delegation: Delegation, rows: QuerySet[Approval]) -> QuerySet[Approval]:
    return within(delegation.cost_centre, rows) if delegation.cost_centre else rows


def _waiting(user: User, identities: list[str], now: datetime) -> QuerySet[Approval]:
    """What waits, of the kinds that the user decides, and asked for by none of the identities."""
    kinds = [kind.slug for kind in all_kinds().values() if user.has_perm(kind.permission)]
    of_others = ApprovalPolicy.objects.exclude(role=None).exclude(role__in=user.groups.all())
    return (
        Approval.objects.waiting()
        .filter(kind__in=kinds, expires_at__gt=now)
        .exclude(kind__in=of_others.values("kind"))
        .exclude(asked_persons__overlap=identities)
    )
