"""An API key is used up before it resets."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from alerts.rules import Finding, RuleKind, Watch, register
from common import formatting
from keys.books.queries.pages import Meter, budget_meters
from keys.books.queries.spend import Spend, SpendFilter, slice_start, spend_by
from keys.models import ApiKey, Period, Window
from prediction.queries.run_rates import burn_of, learned_paces
from prediction.run_rate.exhaustion import LearnedPace, runs_out
from reports.alert_kinds import KEY_RUNS_OUT
from reports.alert_rules.scope import SLICE

_HOUR, _ONE = timedelta(hours=1), Decimal(1)


def _find(watch: Watch) -> Iterator[Finding]:
    until = slice_start(watch.now) + SLICE
    pace = {
        each.group: each.spend for each in spend_by(SpendFilter(until - _HOUR, until), by="key")
    }
    windows = Window.objects.filter(
        limit__api_key__in=pace, limit__api_key__status=ApiKey.Status.ACTIVE
    ).exclude(limit__period=Period.TOTAL)
    learned = learned_paces({f"key:{key_id}" for key_id in pace}, now=watch.now)
    found: dict[str, Finding] = {}
    for meter in budget_meters(windows, now=watch.now):
        key_id = meter.scope.partition(":")[2]
        paces = learned.get(meter.scope, {})
        if finding := _finding(watch, meter, key_id, pace[key_id], paces.get(meter.unit)):
            found.setdefault(key_id, finding)
    yield from found.values()


def _finding(
    watch: Watch, meter: Meter, key_id: str, spend: Spend, learned: LearnedPace | None
) -> Finding | None:
    an_hour = burn_of(spend, _ONE).of(meter.unit)
    out = runs_out(meter, an_hour, learned, now=watch.now)
    if out is None or meter.resets_at - out.at < timedelta(hours=float(watch.figure)):
        return None
    free, pace = (formatting.quantity(each, unit=meter.unit) for each in (meter.free, an_hour))
    return Finding(
        key=key_id,
        title=f"{key_id} is used up around {out.at:%Y-%m-%d %H:%M} UTC",
        detail=f"{free} are left, and the last hour took {pace}. The limit resets at "
        f"{meter.resets_at:%Y-%m-%d %H:%M} UTC.",
        facts={"unit": meter.unit, "out_at": out.at, "resets_at": meter.resets_at},
        key_id=key_id,
    )


register(
    RuleKind(
        slug="key_runs_out",
        title="Key out before its reset",
        about="At its pace, an API key has used up a limit so many hours before the limit resets. "
        "The pace is the better of that of the last hour and of what the same hours of the week "
        "use. Limits in total never reset, so they are not watched.",
        figure="Hours before the reset",
        least=0,
        most=744,
        default=1,
        alert_kind=KEY_RUNS_OUT,
        find=_find,
        has_cost_centre=False,
    )
)
