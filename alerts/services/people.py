"""Tell persons of an alert: by the roles and names of routes, and whom it waits for."""

from collections.abc import Collection, Iterable
from datetime import datetime, time
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, OuterRef

from alerts import kinds, recipients, routing, surroundings
from alerts.audit_actions import Action
from alerts.models import Alert, Channel, Escalation, Notification, Route
from alerts.models.channel import PERSON
from alerts.refusals import NoticesInvalid
from alerts.routing import Plan
from security import audit
from security.actor import Actor

_USERNAME_SHOWN = 60


def plans_for_people(alert: Alert, routes: Iterable[Route], *, now: datetime) -> list[Plan]:
    """One plan for each person who is told: the earliest of the routes that lead to them.

    Left out: who has muted the kind (never of kinds about security), who is told already, and who
    was told of what this alert continues, such as the approval that is overdue now.
    """
    due: dict[int, tuple[datetime, bool]] = dict.fromkeys(
        recipients.people().concerned(alert), (now, False)
    )
    zone = surroundings.zone() if routes else None
    for route in routes:
        people = _people_of(route, alert)
        if people and zone:
            at = routing.due(route, alert, zone=zone, now=now)
            due |= {person: min(due.get(person, at), at) for person in people}
    if not due:
        return []
    channels = _channels_of(due, now=now).exclude(Exists(_told(alert)))
    return [
        _plan(channel, due[channel.person_id], alert, now=now)
        for channel in channels
        if channel.person_id and _is_wanted(channel, alert)
    ]


def plans_for_step(step: Escalation, *, now: datetime) -> list[Plan]:
    """One plan for each person whom a step of an escalation tells now.

    Who was told before is told again, as a channel is, unless a message is under way.
    """
    alert = step.alert
    people = recipients.people().holders(
        roles=[step.role] if step.role else [],
        persons=[step.person_id] if step.person_id else [],
        centres=surroundings.centres_of(alert),
    )
    if not people:
        return []
    under_way = alert.notifications.unfinished().filter(channel=OuterRef("pk"))
    channels = _channels_of(people, now=now).exclude(Exists(under_way))
    return [
        _plan(each, (now, False), alert, now=now) for each in channels if _is_wanted(each, alert)
    ]


def _people_of(route: Route, alert: Alert) -> set[int]:
    named = [each for each in route.recipients.all() if each.person_id]
    roles = {each.role for each in route.recipients.all() if each.role}
    if not named and not roles:
        return set()
    return recipients.people().holders(
        roles=roles,
        persons={each.person_id for each in named if each.person_id},
        centres=surroundings.centres_of(alert),
    )


def _channels_of(people: Collection[int], *, now: datetime) -> Any:
    """The channels of those of the persons who have an address, made if they are missing."""
    rows = Channel.objects.filter(person__in=people).exclude(person__email="")
    missing = set(people) - set(rows.values_list("person_id", flat=True))
    if missing:
        persons = get_user_model().objects.filter(pk__in=missing).exclude(email="")
        names = persons.values_list("pk", "username")
        Channel.objects.bulk_create(
            (_new_channel(pk, username, now=now) for pk, username in names),
            ignore_conflicts=True,
        )
    return rows.enabled()


def _new_channel(person_id: int, username: str, *, now: datetime) -> Channel:
    name = f"{username[:_USERNAME_SHOWN]} (person {person_id})"
    return Channel(name=name, person_id=person_id, service=PERSON, created_at=now)


def _told(alert: Alert) -> Any:
    """Notifications by which a channel is told of the alert, or was of what it continues."""
    kind = kinds.find(alert.kind)
    of_channel = Notification.objects.filter(channel=OuterRef("pk"))
    told = of_channel.unfinished().filter(alert=alert)
    if kind and kind.continues:
        earlier = Alert.objects.filter(dedup_key=alert.dedup_key, kind__in=kind.continues)
        told |= of_channel.filter(alert__in=earlier.values("pk")).exclude(status="given_up")
    return told


def _is_wanted(channel: Channel, alert: Alert) -> bool:
    return kinds.is_security(alert.kind) or alert.kind not in channel.muted_kinds


def _plan(channel: Channel, due: tuple[datetime, bool], alert: Alert, *, now: datetime) -> Plan:
    at, is_digest = due
    if kinds.is_security(alert.kind):
        return Plan(channel, now)
    if alert.severity != "critical":
        at = routing.quiet_end(channel, at, zone=surroundings.zone())
    return Plan(channel, at, is_digest)


@transaction.atomic
def change_notices(
    person: Any,
    *,
    quiet_from: time | None,
    quiet_until: time | None,
    muted_kinds: Iterable[str],
    actor: Actor,
    now: datetime,
) -> Channel:
    """Change when a person is told by e-mail, and of which kinds they are not.

    Refusals: NoticesInvalid; kinds about security cannot be muted.
    """
    muted = sorted(set(muted_kinds))
    if (quiet_from is None) != (quiet_until is None) or (quiet_from and quiet_from == quiet_until):
        raise NoticesInvalid(problem="Quiet hours need a beginning and an end that differ.")
    if fixed := [kind for kind in muted if kinds.is_security(kind)]:
        raise NoticesInvalid(problem=f"Alerts about security cannot be muted: {', '.join(fixed)}.")
    if unknown := sorted(set(muted) - kinds.all_kinds().keys()):
        raise NoticesInvalid(problem=f"There are no such kinds: {', '.join(unknown)}.")
    pk = _channels_of([person.pk], now=now).values_list("pk", flat=True).first()
    if pk is None:
        raise NoticesInvalid(problem="You have no e-mail address. Ask an administrator to add it.")
    channel = Channel.objects.locked().get(pk=pk)
    before = _values(channel)
    channel.quiet_from, channel.quiet_until, channel.muted_kinds = quiet_from, quiet_until, muted
    if _values(channel) != before:
        channel.save(update_fields=["quiet_from", "quiet_until", "muted_kinds"])
        audit.record(
            actor=actor,
            action=Action.NOTICES_CHANGE,
            subject=f"user:{person.pk}",
            related=[channel.address],
            before=before,
            after=_values(channel),
            at=now,
        )
    return channel


def _values(channel: Channel) -> dict[str, Any]:
    return {name: getattr(channel, name) for name in ("quiet_from", "quiet_until", "muted_kinds")}
