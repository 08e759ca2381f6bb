"""Fetch the reports of providers: each day until two fetches a day apart agree."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import requests
from django.conf import settings
from django.db import transaction
from django.views.decorators.debug import sensitive_variables
from django_q.tasks import async_task

from keys.models import Provider
from keys.reasons import check_reason
from keys.refusals import WrongValue
from keys.supply.base_urls import check_base_url
from security import audit
from security import services as security
from security.actor import Actor
from security.vault import CannotUnseal
from treasury.audit_actions import Action
from treasury.models import ProviderReport, ReportAccess, ReportDay, ReportLine
from treasury.reconciliation.lines import Line
from treasury.reconciliation.report_sources import REPORT_SOURCES, ReportSource, SourceReport
from treasury.reconciliation.reports import FORMATS
from treasury.refusals import ReportUnreadable, WrongReportAccess
from treasury.services.import_report import ReportFile, import_report
from treasury.vendor_calls import AnswerTooLarge, exchange

_ACTOR = Actor.job("reports of providers")
_DAY = timedelta(days=1)
# Fetches of a daily job are a little more or less than a day apart.
_AGREES_AFTER = timedelta(hours=20)
# Providers add to a day for some time after it.
_DAYS_CHANGING = 3
_DAYS_MAX = 366
_PAGES_MAX, _PAGE_BYTES_MAX = 50, 20_000_000
_NOT_THERE = (403, 404)


class NotFetchedError(Exception):
    """Why a report could not be fetched, as a sentence."""


@sensitive_variables("secret")
@transaction.atomic(durable=True)
def set_report_access(
    provider: str,
    *,
    source: str,
    base_url: str = "",
    secret: str,
    since: date,
    reason: str,
    actor: Actor,
    now: datetime,
) -> ReportAccess:
    """Have a provider's reports fetched each day, from the day `since` on.

    The admin key is sealed for this row. Days that agree already stay so. Refusals:
    WrongReportAccess, WrongValue.
    """
    check_reason(reason)
    kind = REPORT_SOURCES.get(source)
    if kind is None or not Provider.objects.filter(pk=provider).exists():
        raise WrongReportAccess(f"Reports of {provider} cannot be fetched as those of {source}.")
    if not secret:
        raise WrongReportAccess("Enter the admin key.")
    today = now.astimezone(UTC).date()
    if not today - _DAY * _DAYS_MAX <= since < today:
        raise WrongReportAccess(f"Begin before today, and at most {_DAYS_MAX} days ago.")
    access = ReportAccess.objects.select_for_update().filter(provider=provider).first()
    access = access or ReportAccess(provider_id=provider)
    access.source, access.base_url = kind.slug, _base_url(base_url or kind.base_url)
    access.since, access.error = since, ""
    access.set_by, access.set_at = str(actor), now
    security.seal_into(access, "sealed", secret)
    access.save()
    audit.record(
        actor=actor,
        action=Action.REPORT_ACCESS_SET,
        subject=f"provider:{provider}",
        after={"source": kind.slug, "base_url": access.base_url, "secret": "entered"},
        reason=reason,
        at=now,
    )
    return access


def _base_url(url: str) -> str:
    try:
        return check_base_url(url.strip().rstrip("/"))
    except WrongValue as refusal:
        raise WrongReportAccess(refusal.detail) from refusal


@transaction.atomic(durable=True)
def remove_report_access(provider: str, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Fetch no more, and forget the secret; whether it was fetched. Reports stay."""
    check_reason(reason)
    if not ReportAccess.objects.filter(provider=provider).delete()[0]:
        return False
    audit.record(
        actor=actor,
        action=Action.REPORT_ACCESS_REMOVE,
        subject=f"provider:{provider}",
        reason=reason,
        at=now,
    )
    return True


def ask_reports(provider: str) -> None:
    """Have the reports of a provider fetched soon."""
    async_task("treasury.jobs.fetch_reports_of", provider)


def fetch_reports(provider: str, *, now: datetime) -> list[ProviderReport]:
    """Fetch the days that do not agree yet, each report of a source in its turn; those kept.

    What cannot be fetched is told by the access, and the other reports are fetched all the same. No
    transaction is open while the provider is asked. Raises ReportAccess.DoesNotExist.
    """
    access = ReportAccess.objects.get(provider=provider)
    source = REPORT_SOURCES[access.source]
    kept: list[ProviderReport] = []
    errors: list[str] = []
    for report in source.reports:
        try:
            for since, until in _spans(access, source, report, now):
                kept.append(_fetch(access, source, report, since, until, now=now))
        except (NotFetchedError, ReportUnreadable, CannotUnseal) as error:
            errors.append(f"{FORMATS[report.format].label}: {error}")
    ReportAccess.objects.filter(pk=access.pk).update(asked_at=now, error=" ".join(errors)[:300])
    return kept


def _spans(
    access: ReportAccess, source: ReportSource, report: SourceReport, now: datetime
) -> Iterator[tuple[date, date]]:
    """The days to fetch, in spans of one request: all from the first that does not agree yet."""
    last = now.astimezone(UTC).date() - _DAY
    first = access.since
    if source.days_kept is not None:
        first = max(first, last - _DAY * (source.days_kept - 1))
    agreed = set(
        access.days.filter(format=report.format, agreed_at__isnull=False).values_list(
            "day", flat=True
        )
    )
    while first in agreed:
        first += _DAY
    while first <= last:
        until = min(last, first + _DAY * (report.days_max - 1))
        yield first, until
        first = until + _DAY


def _fetch(
    access: ReportAccess,
    source: ReportSource,
    report: SourceReport,
    since: date,
    until: date,
    *,
    now: datetime,
) -> ProviderReport:
    pages = _pages(access, source, report, since, until)
    content = pages[0] if len(pages) == 1 else b"[%s]" % b", ".join(pages)
    file = ReportFile(provider=access.provider_id, format=report.format, content=content)
    kept, _ = import_report(file, days=(since, until), actor=_ACTOR, now=now)
    _note_days(access, kept, now=now)
    return kept


@sensitive_variables("secret", "headers")
def _pages(
    access: ReportAccess, source: ReportSource, report: SourceReport, since: date, until: date
) -> list[bytes]:
    """The answers as they came. Errors: NotFetchedError, CannotUnseal."""
    secret = security.unseal_from(access, "sealed")
    headers = {**source.headers(secret), **report.headers}
    query, pages = list(report.query(since, until)), list[bytes]()
    page = ""
    while True:
        more = [(report.page_parameter, page)] if page else []
        status, body = ask_provider(access.base_url + report.path, headers, [*query, *more])
        if status in _NOT_THERE and report.fallback is not None:
            return _pages(access, source, report.fallback, since, until)
        if status != 200:
            raise NotFetchedError(f"The provider answered HTTP {status}.")
        pages.append(body)
        page = _next_page(body) if report.page_parameter else ""
        if not page:
            return pages
        if len(pages) >= _PAGES_MAX:
            raise NotFetchedError(f"The report has more than {_PAGES_MAX} pages.")


@sensitive_variables("headers")
def ask_provider(
    url: str, headers: dict[str, str], query: list[tuple[str, str]]
) -> tuple[int, bytes]:
    """Status and body of an answer. Errors: NotFetchedError."""
    try:
        return exchange(
            "GET",
            url,
            headers=headers,
            query=query,
            networks=settings.PROVIDER_NETWORKS,
            bytes_max=_PAGE_BYTES_MAX,
        )
    except (AnswerTooLarge, requests.RequestException, OSError) as error:
        # The type alone: the text may have an address with a secret in it.
        raise NotFetchedError(f"The provider did not answer: {type(error).__name__}.") from None


def _next_page(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise NotFetchedError("The answer is no JSON.") from None
    page = answer.get("next_page") if isinstance(answer, dict) else None
    return page if isinstance(page, str) else ""


class _Told(NamedTuple):
    day: date
    digest: bytes


@transaction.atomic(durable=True)
def _note_days(access: ReportAccess, report: ProviderReport, *, now: datetime) -> None:
    """Note which days say the same as before, and which have done so for a day."""
    # Two fetches at once note one after the other.
    ReportAccess.objects.select_for_update(no_key=True).get(pk=access.pk)
    rows = ReportDay.objects.filter(
        access=access, format=report.format, day__gte=report.since, day__lte=report.until
    )
    known = {row.day: row for row in rows}
    for day, digest in _days(report):
        row = known.get(day) or ReportDay(access=access, format=report.format, day=day)
        if bytes(row.digest or b"") != digest:
            row.digest, row.first_told_at, row.agreed_at = digest, now, None
        elif row.agreed_at is None and _agrees(row, now):
            row.agreed_at = now
        row.save()


def _agrees(row: ReportDay, now: datetime) -> bool:
    is_over = row.day + _DAY * _DAYS_CHANGING < now.astimezone(UTC).date()
    return is_over and now - row.first_told_at >= _AGREES_AFTER


def _days(report: ProviderReport) -> Iterator[_Told]:
    lines: dict[date, list[str]] = {}
    rows = ReportLine.objects.filter(report=report).values_list(*Line._fields)
    for row in rows.iterator(chunk_size=5000):
        line = Line(*row)
        lines.setdefault(line.day, []).append(repr(line[1:]))
    for number in range((report.until - report.since).days + 1):
        day = report.since + _DAY * number
        yield _Told(day, _digest(lines.get(day, [])))


def _digest(lines: Iterable[str]) -> bytes:
    """Of the lines in any order."""
    return sha256("\n".join(sorted(lines)).encode()).digest()
