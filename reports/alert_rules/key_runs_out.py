"""An API key is used up before it resets."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from alerts.rules import Finding, RuleKind, Watch, register
from common import formatting
from keys.books.queries.pages import Meter, budget_meters
from keys.books.queries.spend import Spend, SpendFilter, slice_start, spend_by
from keys.models import ApiKey, Period, Window
from reports.alert_kinds import KEY_RUNS_OUT
from reports.alert_rules.scope import SLICE

_HOUR = timedelta(hours=1)


def _find(watch: Watch) -> Iterator[Finding]:
    until = slice_start(watch.now) + SLICE
    pace = {
        each.group: each.spend for each in spend_by(SpendFilter(until - _HOUR, until), by="key")
    }
    windows = Window.objects.filter(
        limit__api_key__in=pace, limit__api_key__status=ApiKey.Status.ACTIVE
    ).exclude(limit__period=Period.TOTAL)
    found: dict[str, Finding] = {}
    for meter in budget_meters(windows, now=watch.now):
        key_id = meter.scope.partition(":")[2]
        if finding := _finding(watch, meter, key_id, pace[key_id]):
            found.setdefault(key_id, finding)
    yield from found.values()


def _finding(watch: Watch, meter: Meter, key_id: str, spend: Spend) -> Finding | None:
    an_hour = Decimal(spend.tokens) if meter.unit == "tokens" else spend.cost
    until_reset = meter.resets_at - watch.now
    if an_hour <= 0 or until_reset <= timedelta(0):
        return None
    hours = meter.free / an_hour
    early = Decimal(until_reset.total_seconds()) / 3600 - hours
    if early < watch.figure:
        return None
    free, pace = (formatting.quantity(each, unit=meter.unit) for each in (meter.free, an_hour))
    out_at = watch.now + timedelta(hours=float(hours))
    return Finding(
        key=key_id,
        title=f"{key_id} is used up around {out_at:%Y-%m-%d %H:%M} UTC",
        detail=f"{free} are left, and the last hour took {pace}. The limit resets at "
        f"{meter.resets_at:%Y-%m-%d %H:%M} UTC.",
        facts={"unit": meter.unit, "out_at": out_at, "resets_at": meter.resets_at},
        key_id=key_id,
    )


register(
    RuleKind(
        slug="key_runs_out",
        title="Key out before its reset",
        about="At the pace of the last hour, an API key has used up a limit so many hours before "
        "the limit resets. Limits in total never reset, so they are not watched.",
        figure="Hours before the reset",
        least=0,
        most=744,
        default=1,
        alert_kind=KEY_RUNS_OUT,
        find=_find,
        has_cost_centre=False,
    )
)
