"""People: invited, given roles, bound to cost centres, switched off and on.

invited ──sets a password with the link──▶ active ──switch_off──▶ off ──switch_on──▶ active
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction

from common.live_notices import announce, person_topic
from gate import roles
from gate.access import Access, access_of
from gate.audit_actions import Action
from gate.models import CentreBinding
from gate.refusals import OwnAccess, PersonExists, SuperuserAccess
from gate.services.sign_ins import end_sessions
from keys.reasons import check_reason
from security import audit
from security.actor import Actor, ActorKind
from security.persons import user_of


@transaction.atomic(durable=True)
def invite(
    username: str, *, email: str, access: Access, reason: str = "", actor: Actor, now: datetime
) -> User:
    """Add a person without a password, who sets one with a link. Refusal: PersonExists."""
    person, created = User.objects.get_or_create(
        username=username, defaults={"email": email, "is_staff": True}
    )
    if not created:
        raise PersonExists(username=username)
    person.set_unusable_password()
    person.save(update_fields=["password"])
    _write_access(person, access)
    _record(
        person,
        Action.PERSON_INVITE,
        after={"email": email} | _values(access),
        reason=reason,
        by=actor,
        at=now,
    )
    return person


@transaction.atomic(durable=True)
def invite_again(person: User, *, reason: str = "", actor: Actor, now: datetime) -> User:
    """Record that the person gets a new link, with which they set a new password."""
    _record(person, Action.PERSON_INVITE_AGAIN, reason=reason, by=actor, at=now)
    return person


@transaction.atomic(durable=True)
def set_access(person: User, *, access: Access, reason: str, actor: Actor, now: datetime) -> User:
    """Give the person exactly these roles and cost centres. Groups that are no roles stay.

    Refusals: WrongValue, OwnAccess, SuperuserAccess. The same access again is no change.
    """
    check_reason(reason)
    person = _locked(person, actor)
    before = access_of(person)
    if before != access:
        _write_access(person, access)
        announce(person_topic(person.pk))
        _record(
            person,
            Action.PERSON_SET_ACCESS,
            before=_values(before),
            after=_values(access),
            reason=reason,
            by=actor,
            at=now,
        )
    return person


@transaction.atomic(durable=True)
def switch_off(person: User, *, reason: str, actor: Actor, now: datetime) -> User:
    """The person can no longer sign in, and all their sessions end.

    Refusals: WrongValue, OwnAccess, SuperuserAccess.
    """
    check_reason(reason)
    person = _locked(person, actor)
    if person.is_active:
        person.is_active = False
        person.save(update_fields=["is_active"])
        end_sessions(person, now=now)
        announce(person_topic(person.pk))
        _record(person, Action.PERSON_SWITCH_OFF, reason=reason, by=actor, at=now)
    return person


@transaction.atomic(durable=True)
def switch_on(person: User, *, reason: str, actor: Actor, now: datetime) -> User:
    """The person can sign in again, with the same roles.

    Refusals: WrongValue, OwnAccess, SuperuserAccess.
    """
    check_reason(reason)
    person = _locked(person, actor)
    if not person.is_active:
        person.is_active = True
        person.save(update_fields=["is_active"])
        _record(person, Action.PERSON_SWITCH_ON, reason=reason, by=actor, at=now)
    return person


@transaction.atomic(durable=True)
def sign_out_everywhere(
    person: User, *, reason: str, actor: Actor, now: datetime
) -> tuple[User, int]:
    """End all sessions of another person; returns the person and how many ended.

    Refusals: WrongValue, OwnAccess, SuperuserAccess.
    """
    check_reason(reason)
    person = _locked(person, actor)
    ended = end_sessions(person, now=now)
    announce(person_topic(person.pk))
    _record(
        person,
        Action.PERSON_SIGN_OUT,
        after={"sessions": ended},
        reason=reason,
        by=actor,
        at=now,
    )
    return person, ended


def _locked(person: User, actor: Actor) -> User:
    if actor.kind is ActorKind.PERSON and actor.name == person.username:
        raise OwnAccess
    found = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    if found.is_superuser and actor.kind is ActorKind.PERSON and not _is_superuser(actor):
        raise SuperuserAccess(username=found.username)
    return found


def _is_superuser(actor: Actor) -> bool:
    user = user_of(actor)
    return user is not None and user.is_superuser


def _write_access(person: User, access: Access) -> None:
    person.groups.remove(*Group.objects.filter(name__in=roles.roles().keys() - access.roles))
    person.groups.add(*Group.objects.filter(name__in=access.roles))
    if access.roles and not person.is_staff:
        person.is_staff = True
        person.save(update_fields=["is_staff"])
    bindings = CentreBinding.objects.filter(person=person)
    bindings.exclude(cost_centre__in=access.centres).delete()
    CentreBinding.objects.bulk_create(
        (CentreBinding(person=person, cost_centre_id=each) for each in sorted(access.centres)),
        ignore_conflicts=True,
    )


def _values(access: Access) -> dict[str, list[str]]:
    return {"roles": sorted(access.roles), "cost_centres": sorted(access.centres)}


def _record(person: User, action: Action, *, by: Actor, at: datetime, **sides: Any) -> None:
    audit.record(actor=by, action=action, subject=f"user:{person.pk}", at=at, **sides)
