"""What is compared of a provider, and the differences that are open."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from keys.books.queries.provider_usage import (
    estimated_provider_calls,
    provider_calls,
    provider_usage,
)
from treasury.models import (
    Difference,
    DifferenceStatus,
    Payee,
    ProviderName,
    ProviderReport,
    ReconciliationRun,
    ReportAccess,
    ReportDay,
    ReportLine,
)
from treasury.reconciliation.differences import Group, Names, OwnCall, OwnSum
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.reports import OF_CALLS

_DAY = timedelta(days=1)
_USAGE = "_usage"
# So that an hourly job asks once a day, at about the same time.
_ASKED_AGAIN_AFTER = timedelta(hours=23)


@dataclass(frozen=True)
class Reported:
    """The lines that count, and the reports that they are of. `asked`: single calls that the
    provider was asked for, which are among the sums of the lines."""

    lines: list[Line]
    reports: list[int]
    asked: list[Line]


def reports_to_fetch(*, now: datetime) -> list[str]:
    """The providers whose reports are due: asked nearly a day ago, never, or in vain."""
    due = Q(asked_at=None) | Q(asked_at__lte=now - _ASKED_AGAIN_AFTER) | ~Q(error="")
    return list(ReportAccess.objects.filter(due).values_list("provider_id", flat=True))


@dataclass(frozen=True)
class FetchedReports:
    """A provider whose reports are fetched; `agreed_until`: the last day through which all of its
    reports agree with themselves a day later, None before the first."""

    access: ReportAccess
    agreed_until: date | None


def fetched_reports() -> list[FetchedReports]:
    """The providers whose reports are fetched, and how far they agree."""
    open_days = ReportDay.objects.filter(access=OuterRef("pk"), agreed_at=None)
    rows = ReportAccess.objects.annotate(
        first_open=Subquery(open_days.order_by("day").values("day")[:1]),
        last_day=Max("days__day"),
    )
    return [FetchedReports(row, _agreed_until(row)) for row in rows]


def _agreed_until(row: Any) -> date | None:
    until: date | None = row.first_open - _DAY if row.first_open else row.last_day
    return until if until and until >= row.since else None


def open_differences(*, since: date, until: date) -> QuerySet[Difference]:
    """The open differences from bills, of the days from `since` to `until`."""
    return Difference.objects.filter(
        account=None, status=DifferenceStatus.OPEN, day__gte=since, day__lte=until
    )


def difference_page(
    *,
    status: str = "",
    provider: str = "",
    account: str = "",
    after: int | None = None,
    most: int,
) -> list[Difference]:
    """Differences from bills and from statements of rails, newest first."""
    rows = Difference.objects.select_related("account").order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    wanted = {"status": status, "provider_id": provider, "account__name": account}
    return list(rows.filter(**{name: value for name, value in wanted.items() if value})[:most])


def bill_coverage(providers: Collection[str], *, since: date, until: date) -> dict[str, int]:
    """How many of the UTC days from `since` to `until` were compared with the reports of each of
    the providers; two queries.

    A day counts if it was over when it was compared. Providers whose credit is bought with play
    money send no bills, so they are left out.
    """
    payees = Payee.objects.filter(provider__in=providers, is_play_money=True)
    play_money = set(payees.values_list("provider", flat=True))
    days: dict[str, set[date]] = {name: set() for name in providers if name not in play_money}
    runs = ReconciliationRun.objects.filter(provider__in=days, until__gte=since, since__lte=until)
    for run in runs.only("provider_id", "since", "until", "run_at").order_by():
        last_over = run.run_at.astimezone(UTC).date() - _DAY
        days[run.provider_id].update(_days(max(run.since, since), min(run.until, until, last_over)))
    return {name: len(compared) for name, compared in days.items()}


def reported(provider: str, *, since: date, until: date) -> Reported:
    """What the latest reports say of each day. Where a report of usage has a day, quantities of
    others do not count, so that none counts twice."""
    reports = ProviderReport.objects.filter(
        provider=provider, until__gte=since, since__lte=until
    ).order_by("fetched_at", "pk")
    latest: dict[tuple[str, date], int] = {}
    for report in reports.only("pk", "format", "since", "until"):
        for day in _days(max(report.since, since), min(report.until, until)):
            latest[report.format, day] = report.pk
    counted = {day for name, day in latest if name.endswith(_USAGE)}
    lines, asked = list[Line](), list[Line]()
    for row in (
        ReportLine.objects.filter(report__in=set(latest.values()), day__gte=since, day__lte=until)
        .values_list("report__format", "report_id", *Line._fields)
        .order_by("report_id", "position")
        .iterator(chunk_size=5000)
    ):
        format_name, report_id, line = row[0], row[1], Line(*row[2:])
        if format_name in OF_CALLS:
            asked.append(line)
        elif latest[format_name, line.day] == report_id:
            lines.append(_counted_once(line, format_name, counted))
    return Reported(lines, sorted(set(latest.values())), asked)


def _counted_once(line: Line, format_name: str, counted: set[date]) -> Line:
    if line.day not in counted or format_name.endswith(_USAGE):
        return line
    return line._replace(quantity=None)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + number * _DAY for number in range((last - first).days + 1))


def metered(provider: str, *, since: date, until: date) -> list[OwnSum]:
    """What Butler metered of each day, key and model; from slices."""
    return [
        OwnSum(
            Group(row.day, row.api_key, row.model),
            row.cost,
            {
                LineKind.CALLS: Decimal(row.calls),
                LineKind.INPUT: Decimal(row.input_tokens),
                LineKind.CACHED: Decimal(row.cached_tokens),
                LineKind.CACHE_WRITE: Decimal(row.cache_write_tokens),
                LineKind.OUTPUT: Decimal(row.output_tokens),
            },
        )
        for row in provider_usage(provider, since=_midnight(since), until=_midnight(until + _DAY))
    ]


def metered_calls(own: Iterable[OwnSum], *, since: date, until: date) -> list[OwnCall]:
    """The single calls among the sums that the provider gave an id."""
    api_keys = sorted({each.group.key for each in own})
    rows = provider_calls(api_keys, since=_midnight(since), until=_midnight(until + _DAY))
    return [
        OwnCall(row.request_id, row.charge_id, Group(row.day, row.api_key, row.model), row.cost)
        for row in rows
    ]


def estimated_calls(provider: str, *, since: date, until: date) -> list[OwnCall]:
    """The calls with an id that were settled on an estimate and not adjusted since."""
    rows = estimated_provider_calls(provider, since=_midnight(since), until=_midnight(until + _DAY))
    return [
        OwnCall(row.request_id, row.charge_id, Group(row.day, row.api_key, row.model), row.cost)
        for row in rows
    ]


def names(provider: str) -> Names:
    """What the provider calls keys and models."""
    rows = ProviderName.objects.filter(provider=provider)
    kinds = ProviderName.Kind
    return Names(
        keys={row.theirs: row.ours for row in rows if row.kind == kinds.KEY},
        models={row.theirs: row.ours for row in rows if row.kind == kinds.MODEL},
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
