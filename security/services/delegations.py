"""Name a deputy for a time in which a person is away, and take that back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from common.live_notices import announce, person_topic
from security import audit, persons
from security.actor import Actor, ActorKind
from security.audit_actions import Action
from security.delegation_models import DAYS_MAX
from security.models import Delegation
from security.reasons import check_reason
from security.refusals import (
    DelegationChain,
    DelegationNotAllowed,
    DelegationNotFound,
    DelegationOver,
    DelegationOverlaps,
    DelegationPast,
    DelegationTooLong,
    DeputyInactive,
    DeputyIsSelf,
)

NAME_DEPUTIES = "security.add_delegation"


@dataclass(frozen=True, kw_only=True)
class DelegationTerms:
    """When the deputy decides, and for which cost centre (its slug; empty for all)."""

    starts_at: datetime
    ends_at: datetime
    cost_centre: str = ""


@transaction.atomic(durable=True)
def name_deputy(
    absent: User,
    deputy: User,
    *,
    terms: DelegationTerms,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Delegation:
    """Let the deputy decide approvals in the place of the absent person for a time.

    A start in the past means now. Refusals: ReasonMissing, DelegationNotAllowed, DeputyIsSelf,
    DeputyInactive, DelegationPast, DelegationTooLong, DelegationOverlaps, DelegationChain.
    """
    check_reason(reason)
    absent, deputy = _locked(absent, deputy)
    _check_actor(absent, actor, deputy=deputy)
    starts_at = max(terms.starts_at, now)
    _check_deputy(absent, deputy)
    _check_period(starts_at, terms.ends_at, now=now)
    _check_others(absent, deputy, starts_at, terms.ends_at)
    delegation = Delegation.objects.create(
        absent=absent,
        deputy=deputy,
        cost_centre=terms.cost_centre,
        starts_at=starts_at,
        ends_at=terms.ends_at,
        reason=reason[:300],
        named_by_name=actor.name,
        named_by_kind=actor.kind,
        named_persons=persons.identities(actor),
        named_at=now,
    )
    _record(Action.DELEGATION_CREATE, delegation, reason=reason, actor=actor, now=now)
    return delegation


@transaction.atomic(durable=True)
def revoke_delegation(
    delegation_id: int, *, reason: str, actor: Actor, now: datetime
) -> Delegation:
    """End it now, also before it began; what the deputy has decided stays decided.

    Refusals: ReasonMissing, DelegationNotFound, DelegationNotAllowed, DelegationOver.
    """
    check_reason(reason)
    rows = Delegation.objects.select_related("absent", "deputy").filter(pk=delegation_id)
    delegation = rows.select_for_update(of=("self",)).first()
    if delegation is None:
        raise DelegationNotFound(delegation_id=delegation_id)
    _check_actor(delegation.absent, actor)
    if delegation.stage(now) in ("over", "revoked"):
        raise DelegationOver(delegation_id=delegation_id)
    delegation.revoked_at, delegation.revoked_reason = now, reason[:300]
    delegation.revoked_by_name, delegation.revoked_by_kind = actor.name, actor.kind
    delegation.save(
        update_fields=["revoked_at", "revoked_reason", "revoked_by_name", "revoked_by_kind"]
    )
    _record(Action.DELEGATION_REVOKE, delegation, reason=reason, actor=actor, now=now)
    return delegation


def _locked(absent: User, deputy: User) -> tuple[User, User]:
    """Both persons, locked in the order in which the trigger of the table locks them."""
    both = User.objects.filter(pk__in=(absent.pk, deputy.pk)).order_by("pk")
    found = {each.pk: each for each in both.select_for_update(no_key=True)}
    return found[absent.pk], found[deputy.pk]


def _check_actor(absent: User, actor: Actor, *, deputy: User | None = None) -> None:
    """The absent person themself, or who may name deputies; never the deputy."""
    if actor.kind in (ActorKind.COMMAND_LINE, ActorKind.JOB):
        return
    user = persons.user_of(actor)
    if user is None:
        raise DelegationNotAllowed
    if user.pk == absent.pk:
        return
    is_deputy = deputy is not None and not {*persons.identities_of_user(user)}.isdisjoint(
        persons.identities_of_user(deputy)
    )
    outranked = absent.is_superuser and not user.is_superuser
    if is_deputy or outranked or not user.has_perm(NAME_DEPUTIES):
        raise DelegationNotAllowed


def _check_deputy(absent: User, deputy: User) -> None:
    one, other = map(persons.identities_of_user, (absent, deputy))
    if {*one} & {*other}:
        raise DeputyIsSelf
    if not (deputy.is_active and deputy.is_staff):
        raise DeputyInactive(deputy=deputy.username)
    if not absent.is_active:
        raise DeputyInactive(deputy=absent.username)


def _check_period(starts_at: datetime, ends_at: datetime, *, now: datetime) -> None:
    if ends_at <= now or ends_at <= starts_at:
        raise DelegationPast
    if ends_at - starts_at > timedelta(days=DAYS_MAX):
        raise DelegationTooLong(days_max=DAYS_MAX)


def _check_others(absent: User, deputy: User, starts_at: datetime, ends_at: datetime) -> None:
    others = Delegation.objects.overlapping(starts_at, ends_at)
    if others.filter(absent=absent).exists():
        raise DelegationOverlaps(absent=absent.username)
    if others.filter(Q(absent=deputy) | Q(deputy=absent)).exists():
        raise DelegationChain


def _record(
    action: Action, delegation: Delegation, *, reason: str, actor: Actor, now: datetime
) -> None:
    """Streams of the deputy ask again what they may see."""
    announce(person_topic(delegation.deputy_id))
    terms: dict[str, Any] = {
        "delegation": delegation.pk,
        "absent": delegation.absent.username,
        "deputy": delegation.deputy.username,
        "cost_centre": delegation.cost_centre,
        "starts_at": delegation.starts_at,
        "ends_at": delegation.ends_at,
    }
    audit.record(
        actor=actor,
        action=action,
        subject=f"user:{delegation.absent_id}",
        related=[f"user:{delegation.deputy_id}"],
        before=terms if action is Action.DELEGATION_REVOKE else None,
        after=terms if action is Action.DELEGATION_CREATE else None,
        reason=reason,
        at=now,
    )
