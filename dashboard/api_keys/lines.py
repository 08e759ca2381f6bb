"""API keys as people look at them: the worst first, with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Concat

from common.admin.visible_rows import visible_to
from dashboard.ranges import date_range
from keys.books.queries.freezes import frozen_keys
from keys.books.queries.pages import Meter, limits_with_windows, meters_of
from keys.books.queries.spend import Spend, SpendFilter, slice_start, spend_by
from keys.models import ApiKey
from prediction.queries.run_rates import burn_of, paces_in, with_paces
from prediction.run_rate.exhaustion import Burn, LearnedPace, RunsOut, first_out
from security import queries as security

FROZEN = "frozen"
# The last hour by whole slices: the running one and the three before.
_BURN_SLICES = timedelta(minutes=45)
_HOUR = Decimal(3600)
_WORST = ("broken", FROZEN, "suspended", "exhausted", "cooling")


@dataclass(frozen=True)
class KeyLine:
    """An API key now: its limits, its pace, and what it did today."""

    api_key: ApiKey
    status: str
    reason: str
    meters: Sequence[Meter]
    burn: Burn
    runs_out: RunsOut | None
    today: Spend

    @property
    def exhausted_at(self) -> datetime | None:
        """When the first of its limits is used up; None if all of them reset before."""
        return self.runs_out and self.runs_out.at

    @property
    def used_percent(self) -> Decimal:
        """Used and committed of the fullest of its limits."""
        shares = [
            100 * (meter.used + meter.committed) / meter.amount if meter.amount else Decimal(100)
            for meter in self.meters
        ]
        return round(max(shares, default=Decimal(0)), 6)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is wrong with it and nothing happens on it."""
        busy = self.used_percent or self.today.calls or self.today.released or self.today.expired
        return self.status in (ApiKey.Status.ACTIVE, ApiKey.Status.INACTIVE) and not busy

    @property
    def rank(self) -> tuple[int, Decimal, str]:
        """Sorts the worst first: out, about to be, fuller, switched off."""
        if self.status in _WORST:
            first = _WORST.index(self.status)
        elif self.status == ApiKey.Status.INACTIVE:
            first = len(_WORST) + 2
        else:
            first = len(_WORST) + (0 if self.exhausted_at else 1)
        return first, -self.used_percent, self.api_key.slug


def key_lines(
    user: Any, api_keys: QuerySet[ApiKey], *, zone: ZoneInfo, now: datetime
) -> list[KeyLine]:
    """Those of `api_keys` that the person may see, the worst first; six queries."""
    scope = Concat(Value("key:"), OuterRef("pk"), output_field=TextField())
    rows = with_paces(visible_to(user, api_keys), scope=scope)
    rows = rows.prefetch_related(limits_with_windows())
    frozen = set(frozen_keys().values_list("pk", flat=True))
    today = date_range({"range": "today"}, now=now, zone=zone)
    spent = dict(spend_by(_since(today.starts_at, now), by="key"))
    since = slice_start(now) - _BURN_SLICES
    recent = dict(spend_by(_since(since, now), by="key"))
    hours = Decimal((now - since).total_seconds()) / _HOUR
    lines = [
        _line(
            api_key,
            is_frozen=api_key.pk in frozen,
            today=spent.get(api_key.pk, Spend()),
            burn=burn_of(recent.get(api_key.pk, Spend()), hours),
            paces=paces_in(api_key, now=now),
            now=now,
        )
        for api_key in rows
    ]
    return sorted(lines, key=lambda line: line.rank)


def _since(since: datetime, now: datetime) -> SpendFilter:
    return SpendFilter(since, slice_start(now) + timedelta(minutes=15))


def _line(
    api_key: ApiKey,
    *,
    is_frozen: bool,
    today: Spend,
    burn: Burn,
    paces: Mapping[str, LearnedPace],
    now: datetime,
) -> KeyLine:
    meters = meters_of(api_key, now=now)
    return KeyLine(
        api_key=api_key,
        status=FROZEN if is_frozen else api_key.status,
        reason=_reason(api_key, is_frozen),
        meters=meters,
        burn=burn,
        runs_out=first_out(meters, burn, paces, now=now),
        today=today,
    )


def _reason(api_key: ApiKey, is_frozen: bool) -> str:
    """Why the key is as it is; a secret that cannot be read is the first thing to know."""
    if unsealable := security.unsealable_reason(api_key, "secret"):
        return f"The secret cannot be read: {unsealable}"
    if is_frozen:
        return "Somebody froze it."
    return "" if api_key.status == ApiKey.Status.ACTIVE else api_key.status_reason
