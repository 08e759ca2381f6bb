"""A period of a budget lands above it: of a day, a week, a month, a fiscal quarter or year."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from alerts.rules import Finding, RuleKind, Watch, register
from common import formatting
from keys.books.queries.pages import Meter, budget_meters
from keys.books.queries.spend import SpendFilter, slice_start, spend_over_time
from keys.identity.queries.organisation import organisation
from keys.identity.queries.placements import placement_paths
from keys.limits import periods
from keys.models import CostCentre, Period, Window
from prediction.run_rate.landing import HISTORY_DAYS, NEVER_LANDS, Landing, landing_of_meter
from reports.alert_kinds import BUDGET_LANDING
from reports.alert_rules.scope import SLICE

_Days = Mapping[date, Decimal]
# The part of a period in which the low end of the band decides.
_BEGINNING = 0.1


def _find(watch: Watch) -> Iterator[Finding]:
    zone = ZoneInfo(organisation().reporting_zone)
    meters = _meters(watch)
    used = _used(watch, zone) if meters else {}
    for meter in meters:
        spent = used.get((meter.scope, meter.unit), {})
        if found := _finding(watch, meter, spent, zone=zone):
            yield found


def _meters(watch: Watch) -> list[Meter]:
    windows = Window.objects.filter(limit__cost_centre__isnull=False, amount__gt=0)
    windows = windows.exclude(limit__period__in=NEVER_LANDS)
    if watch.cost_centre:
        below = CostCentre.objects.filter(path__contains=[watch.cost_centre])
        windows = windows.filter(limit__cost_centre__in=below)
    return budget_meters(windows, now=watch.now)


def _used(watch: Watch, zone: ZoneInfo) -> Mapping[tuple[str, str], _Days]:
    """What each cost centre with all that was below it used by unit and day; two queries."""
    paths = placement_paths()
    found: dict[tuple[str, str], dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    centres = (watch.cost_centre,) if watch.cost_centre else ()
    which = SpendFilter(_since(watch.now, zone), slice_start(watch.now) + SLICE)
    which = which._replace(cost_centres=centres)
    for each in spend_over_time(which, step="day", zone=zone, by="placement"):
        for slug in paths.get(each.group, ()):
            found[f"centre:{slug}", "usd"][each.starts] += each.spend.cost
            found[f"centre:{slug}", "tokens"][each.starts] += Decimal(each.spend.tokens)
    return found


def _since(now: datetime, zone: ZoneInfo) -> datetime:
    day = now - timedelta(days=HISTORY_DAYS)
    return periods.bounds(period="day", at=day, zone=zone.key, reset_hour=0)[0]


def _finding(watch: Watch, meter: Meter, spent: _Days, *, zone: ZoneInfo) -> Finding | None:
    lands = landing_of_meter(meter, spent, zone=zone, now=watch.now)
    budget = meter.amount + meter.granted
    if lands is None or not _is_above(lands, budget * watch.figure / 100, meter, watch.now):
        return None
    centre = meter.scope.partition(":")[2]
    cost, low, high, amount, used = (
        formatting.quantity(each, unit=meter.unit)
        for each in (lands.cost, lands.low, lands.high, budget, meter.used)
    )
    return Finding(
        key=_key(meter),
        title=f"{centre} is expected to use {cost} of {amount} this {meter.period}",
        detail=f"{used} are used, and {cost} are expected at the end ({low} to {high}, four times "
        f"in five). The rule tells from {watch.figure.normalize():f} % of the budget on.",
        facts={
            "cost_centre": centre,
            "unit": meter.unit,
            "period": meter.period,
            "landing": f"{lands.cost:f}",
        },
    )


def _is_above(lands: Landing, bound: Decimal, meter: Meter, now: datetime) -> bool:
    """Whether the period is expected to end above `bound`. At its beginning hardly anything is
    known of it: then also the low end of the band has to be above."""
    begun = now - meter.starts_at < (meter.resets_at - meter.starts_at) * _BEGINNING
    return (lands.low if begun else lands.cost) > bound


def _key(meter: Meter) -> str:
    """Each period is an incident of its own; a month may begin on the day of a week."""
    of_month = f"{meter.scope}:{meter.unit}:{meter.starts_at:%Y-%m-%d}"
    return of_month if meter.period == Period.MONTH else f"{of_month}:{meter.period}"


register(
    RuleKind(
        slug="budget_landing",
        title="Budget will be exceeded",
        about="A budget of a cost centre, per day or longer, is expected to end its period above "
        "this percentage of it, with what was carried over and grants. Nothing is expected in the "
        "first two weeks of usage. In the first tenth of a period it tells only of what is above "
        "nine times in ten.",
        figure="Percent of the budget",
        least=1,
        most=1000,
        default=100,
        alert_kind=BUDGET_LANDING,
        find=_find,
    )
)
