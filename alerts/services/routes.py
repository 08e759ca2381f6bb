"""Add, change and disable routes of alerts."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from alerts import recipients
from alerts.audit_actions import Action
from alerts.models import Channel, EscalationStep, Route, RouteRecipient
from alerts.refusals import AlertRouteNotFound, ChannelNotFound, RouteInvalid, RouteNameTaken
from security import audit
from security.actor import Actor


@dataclass(frozen=True, kw_only=True)
class RouteTerms:
    """What a route does. `steps`: minutes and whom it tells then.

    `channels` and `persons` are ids; `roles` are names. Persons and those who hold a role get
    e-mail. A step tells a channel (its id), `role:finance` or `person:7`.
    """

    name: str
    channels: Sequence[UUID] = ()
    roles: Sequence[str] = ()
    persons: Sequence[int] = ()
    severity_min: str = "info"
    kinds: Sequence[str] = ()
    cost_centre: str = ""
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest: str = Route.Digest.NONE
    digest_at: time | None = None
    critical_at_once: bool = True
    steps: Sequence[tuple[int, UUID | str]] = ()

    def fields(self) -> dict[str, Any]:
        """The values of the fields of the model."""
        own = {name: value for name, value in vars(self).items() if name not in _RELATED}
        return own | {"kinds": list(self.kinds)}


_RELATED = ("channels", "steps", "roles", "persons")


@transaction.atomic
def add_route(terms: RouteTerms, *, actor: Actor, now: datetime) -> Route:
    """Add a route for alerts that are raised from now on.

    Refusals: RouteNameTaken, RouteInvalid, ChannelNotFound.
    """
    route = Route(created_at=now)
    _set(route, terms)
    _record(route, Action.ROUTE_ADD, None, actor=actor, now=now)
    return route


@transaction.atomic
def change_route(route_id: int, terms: RouteTerms, *, actor: Actor, now: datetime) -> Route:
    """Change what a route does with alerts that are raised from now on.

    Refusals: AlertRouteNotFound, RouteNameTaken, RouteInvalid, ChannelNotFound.
    """
    route = _lock(route_id)
    before = _values(route)
    _set(route, terms)
    if _values(route) != before:
        _record(route, Action.ROUTE_CHANGE, before, actor=actor, now=now)
    return route


@transaction.atomic
def disable_route(route_id: int, *, actor: Actor, now: datetime) -> Route:
    """Send nothing more by the route. What waits by it is still sent. A second call changes
    nothing. Refusals: AlertRouteNotFound.
    """
    return _switch(route_id, now, Action.ROUTE_DISABLE, actor=actor, now=now)


@transaction.atomic
def enable_route(route_id: int, *, actor: Actor, now: datetime) -> Route:
    """Use a route again. A second call changes nothing. Refusals: AlertRouteNotFound."""
    return _switch(route_id, None, Action.ROUTE_ENABLE, actor=actor, now=now)


def _switch(
    route_id: int, disabled_at: datetime | None, action: Action, *, actor: Actor, now: datetime
) -> Route:
    route = _lock(route_id)
    if (route.disabled_at is None) != (disabled_at is None):
        before = _values(route)
        route.disabled_at = disabled_at
        route.save(update_fields=["disabled_at"])
        _record(route, action, before, actor=actor, now=now)
    return route


def _lock(route_id: int) -> Route:
    route = Route.objects.locked().filter(pk=route_id).first()
    if route is None:
        raise AlertRouteNotFound(route_id=route_id)
    return route


def _set(route: Route, terms: RouteTerms) -> None:
    if problem := _problem(terms):
        raise RouteInvalid(problem=problem)
    wanted = {*terms.channels, *(each for _, each in terms.steps if not isinstance(each, str))}
    shared = Channel.objects.shared().filter(pk__in=wanted)
    missing = wanted - set(shared.values_list("pk", flat=True))
    if missing:
        raise ChannelNotFound(channel_id=str(min(missing)))
    for name, value in terms.fields().items():
        setattr(route, name, value)
    try:
        with transaction.atomic():
            route.save()
    except IntegrityError as error:
        if "alerts_route_name" not in str(error):
            raise
        raise RouteNameTaken(name=terms.name) from None
    route.channels.set(Channel.objects.filter(pk__in=terms.channels))
    _set_recipients(route, terms)
    if _steps(route) != list(terms.steps):
        route.steps.all().delete()
        EscalationStep.objects.bulk_create(
            EscalationStep(route=route, after_minutes=minutes, **_columns(target))
            for minutes, target in terms.steps
        )


def _columns(target: UUID | str) -> dict[str, Any]:
    """The columns of a step that say whom it tells."""
    if not isinstance(target, str):
        return {"channel_id": target}
    kind, _, name = target.partition(":")
    return {"role": name} if kind == "role" else {"person_id": int(name)}


def _set_recipients(route: Route, terms: RouteTerms) -> None:
    if _recipients(route) != (sorted(terms.roles), sorted(terms.persons)):
        route.recipients.all().delete()
        RouteRecipient.objects.bulk_create(
            [RouteRecipient(route=route, role=each) for each in sorted(set(terms.roles))]
            + [RouteRecipient(route=route, person_id=each) for each in sorted(set(terms.persons))]
        )


def _recipients(route: Route) -> tuple[list[str], list[int]]:
    rows = list(route.recipients.values_list("role", "person"))
    return sorted(role for role, _ in rows if role), sorted(pk for _, pk in rows if pk)


def _problem(terms: RouteTerms) -> str:
    """Why the terms make no route; empty if they do."""
    minutes = [after for after, _ in terms.steps]
    told = [_columns(target) for _, target in terms.steps]
    roles = {*terms.roles, *(each["role"] for each in told if "role" in each)}
    persons = {*terms.persons, *(each["person_id"] for each in told if "person_id" in each)}
    problems = {
        "A route needs at least one channel, role or person.": (
            not terms.channels and not terms.roles and not terms.persons
        ),
        "There is no such role or person.": (
            bool(roles - set(recipients.people().role_names())) or _users(persons) < len(persons)
        ),
        "Quiet hours need a beginning and an end that differ.": (
            (terms.quiet_from is None) != (terms.quiet_until is None)
            or (terms.quiet_from is not None and terms.quiet_from == terms.quiet_until)
        ),
        "One message a day needs its time, the others have none.": (
            (terms.digest == Route.Digest.DAILY) != (terms.digest_at is not None)
        ),
        "The steps of an escalation follow each other.": minutes != sorted(set(minutes)),
    }
    return next((text for text, holds in problems.items() if holds), "")


def _users(persons: Collection[int]) -> int:
    return get_user_model().objects.filter(pk__in=persons).count() if persons else 0


def _steps(route: Route) -> list[tuple[int, UUID | str]]:
    return [(each.after_minutes, each.target) for each in route.steps.order_by("after_minutes")]


def _values(route: Route) -> dict[str, Any]:
    names: Iterable[str] = RouteTerms.__dataclass_fields__
    own = {name: getattr(route, name) for name in names if name not in _RELATED}
    roles, persons = _recipients(route)
    return own | {
        "roles": roles,
        "persons": persons,
        "channels": sorted(str(pk) for pk in route.channels.values_list("pk", flat=True)),
        "steps": [[minutes, str(channel)] for minutes, channel in _steps(route)],
        "enabled": route.disabled_at is None,
    }


def _record(
    route: Route, action: Action, before: dict[str, Any] | None, *, actor: Actor, now: datetime
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=route.address,
        before=before,
        after=_values(route),
        at=now,
    )
