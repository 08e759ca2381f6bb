"""Who decides approvals, and which changes need one: reads of the policies."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Q, QuerySet

from common import formatting
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


class AmountRule(NamedTuple):
    """Who has to approve an amount: two persons, or one, of a group if it has a name; the rule in
    words, empty if there is none; and whether a policy is in force."""

    is_two: bool = False
    role: str = ""
    words: str = ""
    is_in_force: bool = False


def policy_of(kind: ApprovalKind, *, cost_centre: str = "") -> ApprovalPolicy:
    """The policy of a kind, for all or for one cost centre; one that is not in force if nobody has
    set it."""
    rows = ApprovalPolicy.objects.select_related("role")
    found = rows.filter(kind=kind.slug, cost_centre=cost_centre).first()
    return found or ApprovalPolicy(kind=kind.slug, cost_centre=cost_centre)


def policy_for(kind: ApprovalKind, *, path: Sequence[str]) -> ApprovalPolicy:
    """The policy that counts for what a cost centre pays: of those in force, that of the centre,
    else of the nearest one above it (`path` has both, from the root), else the one for all."""
    rows = ApprovalPolicy.objects.select_related("role").filter(kind=kind.slug)
    own = {each.cost_centre: each for each in rows if each.in_force_since}
    nearest = next((own[each] for each in reversed(path) if each in own), None)
    return nearest or own.get("") or ApprovalPolicy(kind=kind.slug)


def amount_rule(
    kind: ApprovalKind, *, path: Sequence[str], unit: str, amount: Decimal, of: Decimal
) -> AmountRule:
    """Who has to approve a request for `amount` more, beside a limit `of` so much."""
    policy = policy_for(kind, path=path)
    is_above = policy.is_above(unit=unit, amount=amount, of=of)
    by_two = policy.above_needs == ApprovalPolicy.Above.TWO
    # For two persons, the group decides smaller amounts, too.
    is_of_group = is_above or by_two or not thresholds(policy)
    return AmountRule(
        is_two=is_above and by_two,
        role=policy.role.name if policy.role and is_of_group else "",
        words=rule_in_words(policy, unit=unit),
        is_in_force=policy.in_force_since is not None,
    )


def rule_in_words(policy: ApprovalPolicy, *, unit: str = "") -> str:
    """`Above 5,000 USD two persons approve.`; only the thresholds of one unit, if it is given;
    empty for a policy that is not in force or asks nothing more of larger amounts."""
    above = thresholds(policy, unit=unit)
    if policy.in_force_since is None or not above:
        return ""
    is_two = policy.above_needs == ApprovalPolicy.Above.TWO
    group = policy.role.name if policy.role else ""
    if is_two:
        who = f"two persons of the group {group} approve" if group else "two persons approve"
    else:
        who = f"a person of the group {group} approves" if group else "one person approves"
    return f"Above {' or '.join(above)} {who}."


def thresholds(policy: ApprovalPolicy, *, unit: str = "") -> list[str]:
    """The thresholds of the policy in words, all or those for one unit."""
    amounts = {"usd": policy.usd_above, "tokens": policy.tokens_above}
    words = {"usd": "USD", "tokens": "tokens"}
    found = [
        f"{formatting.group_digits(amount)} {words[name]}"
        for name, amount in amounts.items()
        if amount is not None and unit in ("", name)
    ]
    percent = policy.rise_percent_above
    return [*found, *([f"{percent} percent of the limit"] if percent is not None else [])]


def may_decide(user: User | AnonymousUser, kind: ApprovalKind) -> bool:
    """Whether the user has the permission and is of the group that decides this kind.

    Of kinds that are decided by amount, each approval has its own group.
    """
    role = None if kind.by_amount else policy_of(kind).role
    return user.has_perm(kind.permission) and (
        role is None or user.groups.filter(pk=role.pk).exists()
    )


def may_decide_this(user: User, kind: ApprovalKind, approval: Approval) -> bool:
    """Whether the user has the permission, and is of the groups of the kind and the approval."""
    is_of_role = not approval.role or user.groups.filter(name=approval.role).exists()
    return is_of_role and may_decide(user, kind)


def is_decider(user: User, approval: Approval, *, now: datetime) -> bool:
    """Whether the user decides this approval, alone or for another: of a kind that one of them
    decides, and that neither asked for or approved first."""
    possible = standings(user, approval, delegations_to(user, now=now))
    involved = {*approval.asked_persons, *approval.first_yes_persons}
    return any(involved.isdisjoint(each.persons) for each in possible)


def standings(user: User, approval: Approval, delegations: Iterable[Delegation]) -> list[Standing]:
    """By what the user could decide the approval, were it not for who asked; alone comes first."""
    kind = all_kinds().get(approval.kind)
    if kind is None:
        return []
    row = Approval.objects.filter(pk=approval.pk)
    found = []
    if may_decide_this(user, kind, approval) and visible_to(user, row).exists():
        found.append(Standing(persons.identities_of_user(user)))
    for each in delegations:
        seen = visible_to(each.absent, _of_part(each, row))
        if may_decide_this(each.absent, kind, approval) and seen.exists():
            found.append(Standing(both_persons(each), each))
    return found


def has_two_deciders(kind: ApprovalKind, *, role: Group | None = None) -> bool:
    """Whether at least two persons, of the group if one is given, may decide this kind."""
    users = get_user_model().objects.with_perm(kind.permission, backend=_PERMISSIONS)
    if role:
        users = users.filter(groups=role)
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
    whole = [kind.slug for kind in all_kinds().values() if not kind.by_amount]
    of_kinds = ApprovalPolicy.objects.filter(kind__in=whole).exclude(role=None)
    of_others = of_kinds.exclude(role__in=user.groups.all())
    return (
        Approval.objects.waiting()
        .filter(kind__in=kinds, expires_at__gt=now)
        .filter(Q(role="") | Q(role__in=user.groups.values("name")))
        .exclude(kind__in=of_others.values("kind"))
        .exclude(asked_persons__overlap=identities)
        .exclude(first_yes_persons__overlap=identities)
    )
