"""Windows follow the calendar: open the next one with what is committed, count again."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Max, Min, QuerySet

from common.statements import fetch
from keys.audit_actions import Action
from keys.identity.queries.organisation import calendar
from keys.limits import periods, sql
from keys.limits.carry_over import carried_over
from keys.limits.periods import Calendar
from keys.limits.services.thresholds import arm
from keys.limits.sql.recount import Committed, Used
from keys.models import Charge, Limit, Unit, Window
from security import audit
from security.actor import Actor

_ROLLED_OVER_AT_ONCE = 100
_AN_INSTANT = timedelta(microseconds=1)
_CALENDAR = Actor.job("calendar")


def open_windows(*, scopes: Iterable[str] | None = None, now: datetime) -> int:
    """Open the next window of every limit whose open window has ended; returns how many.

    What open allocations still have moves to it, and what the limit carries over; the closed window
    keeps what was used in it.
    `scopes` limits this to windows of these scopes. A second call changes nothing.
    """
    over = Window.objects.filter(closed_at=None, ends_at__lte=now)
    if scopes is not None:
        over = over.filter(scope__in=scopes)
    opened = 0
    # In batches, because other transactions cannot commit or settle during a batch.
    while batch := list(over.order_by("pk").values_list("pk", flat=True)[:_ROLLED_OVER_AT_ONCE]):
        opened += _open(batch, now=now)
    return opened


def scopes_to_carry_over(*, now: datetime) -> list[str]:
    """The scopes of windows that have ended by `now` and may leave something to the next ones,
    which nothing has opened yet."""
    over = Window.objects.filter(closed_at=None, ends_at__lte=now)
    carrying = over.filter(limit__carry_over_max__isnull=False)
    return sorted(set(carrying.values_list("scope", flat=True)))


@transaction.atomic(durable=True)
def _open(windows: list[int], *, now: datetime) -> int:
    take_books_alone()
    return roll_over(Window.objects.filter(pk__in=windows), now=now)


def roll_over(windows: QuerySet[Window], *, now: datetime) -> int:
    """Open the next window for each of `windows` that has ended; returns how many.

    Joins the caller's transaction, which has called `take_books_alone`.
    """
    over = windows.filter(closed_at=None, ends_at__lte=now).select_related("limit").order_by("pk")
    fiscal = calendar()
    opened = [_open_next(window, fiscal, now=now).pk for window in over]
    if opened:
        arm(opened, at=now)
    return len(opened)


def _open_next(window: Window, fiscal: Calendar, *, now: datetime) -> Window:
    committed, limit = window.committed, window.limit
    starts_at, ends_at = period_of(limit, fiscal, at=now)
    # Where the organisation's calendar changed, the period began while this window still ran.
    starts_at = max(starts_at, window.ends_at)
    carried = carried_over(limit, window, starts_at=starts_at, calendar=fiscal)
    window.committed, window.closed_at = 0, now
    window.save(update_fields=["committed", "closed_at"])
    following = Window.objects.create(
        limit=limit,
        scope=limit.scope,
        unit=limit.unit,
        starts_at=starts_at,
        ends_at=ends_at,
        amount=limit.amount + carried,
        carried=carried,
        committed=committed,
    )
    carries = {"carried": _plain(carried)} if limit.carry_over_max is not None else {}
    audit.record(
        actor=_CALENDAR,
        action=Action.WINDOW_OPEN,
        subject=limit.scope,
        before={"used": _plain(window.used), "amount": _plain(window.amount)},
        after={"starts_at": starts_at, "committed": _plain(committed), **carries},
        reason=f"the {limit.period} of the limit in {limit.unit} ended",
        at=now,
    )
    return following


def _plain(amount: Decimal) -> str:
    """The amount without exponent and trailing zeros."""
    return format(amount.normalize(), "f")


def first_window(limit: Limit, *, carried: Decimal = Decimal(0), now: datetime) -> Window:
    """Open the first window of a limit with what is already used and committed. `carried`: what
    another system had carried over into it.

    Joins the caller's transaction, which has called `take_books_alone`.
    """
    committed = next((row for row in fetch(sql.COMMITTED) if row.scope == limit.scope), None)
    first = Window.objects.create(
        limit=limit,
        scope=limit.scope,
        unit=limit.unit,
        amount=limit.amount + carried,
        carried=carried,
        committed=_in_unit_of(limit, committed) if committed else 0,
        **_recount(limit, now=now),
    )
    arm([first.pk], at=now)
    return first


@transaction.atomic(durable=True)
def open_past_windows(*, since: datetime) -> int:
    """Write the windows that the limits in force would have had from `since` until their first one,
    closed and with what was used in them; returns how many."""
    take_books_alone()
    in_force = Limit.objects.filter(removed_at=None).annotate(first=Min("windows__starts_at"))
    return sum(_open_past(limit, limit.first, since) for limit in in_force)


def _open_past(limit: Limit, first: datetime, since: datetime) -> int:
    past = list(_past_windows(limit, first, since))
    if past:
        # The open window of a limit is its last one, also by its id.
        current = limit.windows.get(closed_at=None)
        current.delete()
        current.pk = None
        Window.objects.bulk_create([*reversed(past), current])
    return len(past)


def _past_windows(limit: Limit, first: datetime, since: datetime) -> Iterator[Window]:
    ends_at, fiscal = first, calendar()
    while ends_at > since:
        starts_at, _ = period_of(limit, fiscal, at=ends_at - _AN_INSTANT)
        (used,) = fetch(sql.USED, scope=limit.scope, starts_at=starts_at, ends_at=ends_at)
        yield Window(
            limit=limit,
            scope=limit.scope,
            unit=limit.unit,
            starts_at=starts_at,
            ends_at=ends_at,
            amount=limit.amount,
            used=_in_unit_of(limit, used),
            closed_at=ends_at,
        )
        ends_at = starts_at


def recount_window(limit: Limit, *, now: datetime) -> None:
    """Give a limit's open window the bounds of its new calendar and what was used within them.

    The window stays open: closed early, it would end while other transactions still settle in it.
    It keeps what was carried over into it. Joins the caller's transaction, which has called
    `take_books_alone`.
    """
    limit.windows.filter(closed_at=None).update(
        amount=limit.amount + F("carried"), **_recount(limit, now=now)
    )


def _recount(limit: Limit, *, now: datetime) -> dict[str, object]:
    # A process whose clock is ahead may have settled calls in the next period already.
    ahead = Charge.objects.filter(status=Charge.Status.SETTLED, settled_at__gt=now)
    newest: datetime | None = ahead.aggregate(newest=Max("settled_at"))["newest"]
    starts_at, ends_at = period_of(limit, calendar(), at=newest or now)
    (used,) = fetch(sql.USED, scope=limit.scope, starts_at=starts_at, ends_at=ends_at)
    return {"starts_at": starts_at, "ends_at": ends_at, "used": _in_unit_of(limit, used)}


def _in_unit_of(limit: Limit, counted: Committed | Used) -> Decimal:
    return counted.tokens if limit.unit == Unit.TOKENS else counted.cost


def period_of(limit: Limit, fiscal: Calendar, *, at: datetime) -> tuple[datetime, datetime]:
    """`[starts_at, ends_at)` in UTC of the limit's period that contains `at`."""
    return periods.bounds(
        period=limit.period,
        at=at,
        zone=limit.zone,
        reset_hour=limit.reset_hour,
        calendar=fiscal,
    )


def take_books_alone() -> None:
    """Lock the books until the end of the transaction: no other transaction can commit or settle.

    Waits for transactions that are doing so now.
    """
    fetch(sql.TAKE_BOOKS, books_lock=sql.BOOKS_LOCK)
