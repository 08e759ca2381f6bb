"""Where an alert goes, and when: pure rules over routes, channels and clocks."""

from collections.abc import Collection, Iterable
from datetime import datetime, time, timedelta
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from alerts.models import Alert, Channel, Route, Severity

_DAY = timedelta(days=1)


class Plan(NamedTuple):
    """When one channel is told: by a message of its own, or in a digest."""

    channel: Channel
    due_at: datetime
    is_digest: bool = False


def plans(
    routes: Iterable[Route], alert: Alert, *, zone: ZoneInfo, now: datetime
) -> dict[object, Plan]:
    """One plan for each channel of the routes: the earliest, rather at once than in a digest."""
    found: dict[object, Plan] = {}
    for route in routes:
        due_at, is_digest = due(route, alert, zone=zone, now=now)
        for channel in route.channels.all():
            plan = Plan(channel, due_at, is_digest)
            known = found.get(channel.pk, plan)
            found[channel.pk] = min(known, plan, key=lambda each: (each.due_at, each.is_digest))
    return found


def matching(routes: Iterable[Route], alert: Alert, centres: Collection[str]) -> list[Route]:
    """The routes that match the alert, whose cost centres are `centres`."""
    return [
        route
        for route in routes
        if route.wants(alert) and (not route.cost_centre or route.cost_centre in centres)
    ]


def due(route: Route, alert: Alert, *, zone: ZoneInfo, now: datetime) -> tuple[datetime, bool]:
    """When the route tells of an alert that is raised now, and whether in a digest."""
    if route.critical_at_once and alert.severity == Severity.CRITICAL:
        return now, False
    if route.digest == Route.Digest.NONE:
        return quiet_end(route, now, zone=zone), False
    return quiet_end(route, digest_moment(route, now, zone=zone), zone=zone), True


def step_due(
    route: Route, after_minutes: int, alert: Alert, *, zone: ZoneInfo, now: datetime
) -> datetime:
    """When an escalation tells of an alert that is raised now, if it is still open then."""
    at = now + timedelta(minutes=after_minutes)
    if route.critical_at_once and alert.severity == Severity.CRITICAL:
        return at
    return quiet_end(route, at, zone=zone)


def digest_moment(route: Route, now: datetime, *, zone: ZoneInfo) -> datetime:
    """The moment of the next digest after now."""
    if route.digest_at is not None:
        return _next(route.digest_at, now, zone)
    # Full hours of UTC: some zones are half an hour away from them, all the year.
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


class QuietHours(Protocol):
    """What has quiet hours: a route, or the channel of a person."""

    @property
    def quiet_from(self) -> time | None: ...
    @property
    def quiet_until(self) -> time | None: ...


def quiet_end(route: QuietHours, at: datetime, *, zone: ZoneInfo) -> datetime:
    """`at`, or the end of the quiet hours that it is in."""
    begin, end = route.quiet_from, route.quiet_until
    if begin is None or end is None:
        return at
    clock = at.astimezone(zone).time()
    is_quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    return _next(end, at, zone) if is_quiet else at


def _next(clock: time, after: datetime, zone: ZoneInfo) -> datetime:
    """The next moment after `after` at which the clocks of the zone show `clock`."""
    today = after.astimezone(zone).date()
    for day in (today, today + _DAY, today + 2 * _DAY):
        moment = datetime.combine(day, clock, tzinfo=zone)
        if moment.timestamp() > after.timestamp():
            return moment
    raise AssertionError("Clocks show each time of day within two days.")
