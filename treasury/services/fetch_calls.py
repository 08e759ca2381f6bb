"""Ask providers for single calls by their ids, where the sum of a day differs."""

from datetime import datetime
from decimal import Decimal

from django.views.decorators.debug import sensitive_variables
from django_q.tasks import async_task

from common.file_text import UnreadableError
from security import services as security
from security.actor import Actor
from security.vault import CannotUnseal
from treasury.models import Difference, DifferenceStatus, ProviderReport, ReportAccess
from treasury.queries.reconciliation import metered, metered_calls
from treasury.reconciliation.asked_calls import ASKABLE, is_of
from treasury.reconciliation.differences import Group, OwnCall
from treasury.reconciliation.report_sources import REPORT_SOURCES, SourceCalls
from treasury.reconciliation.reports import read_lines
from treasury.services.fetch_reports import NotFetchedError, ask_provider
from treasury.services.import_report import ReportFile, import_report
from treasury.services.reconcile import reconcile

_ACTOR = Actor.job("reports of providers")
# Of one provider and UTC day, in all; the dearest first.
CALLS_A_DAY = 50
_FOUND, _NOT_FOUND = 200, 404


def can_ask_calls(difference: Difference) -> bool:
    """Whether the provider can be asked for the calls of an open difference."""
    return (
        difference.status == DifferenceStatus.OPEN
        and difference.kind in ASKABLE
        and difference.own > Decimal(0)
        and not difference.request_id
        and _source(difference) is not None
    )


def ask_calls(difference_id: int) -> None:
    """Have the calls of a difference fetched soon."""
    async_task("treasury.jobs.fetch_calls_of", difference_id)


def fetch_calls(difference_id: int, *, now: datetime) -> int:
    """Ask the provider for the calls of an open difference that it was not asked for before, and
    compare the days of its last comparison again; how many it answered.

    At most `CALLS_A_DAY`, one after the other, and none after one that fails: why is told by the
    access. No transaction is open while the provider is asked. What it says of a call that it does
    not know is an answer, too. Raises Difference.DoesNotExist.
    """
    difference = Difference.objects.select_related("run").get(pk=difference_id)
    source = _source(difference)
    if source is None or difference.run is None or not can_ask_calls(difference):
        return 0
    access = ReportAccess.objects.get(provider=difference.provider_id)
    answers, error = _ask(access, source, difference)
    if error:
        error = f"Single calls: {error}"[:300]
        ReportAccess.objects.filter(pk=access.pk).update(error=error)
    if answers:
        _keep(difference, source, answers, now=now)
        run = difference.run
        reconcile(run.provider_id, since=run.since, until=run.until, actor=_ACTOR, now=now)
    return len(answers)


def _source(difference: Difference) -> SourceCalls | None:
    if difference.provider_id is None:
        return None
    access = ReportAccess.objects.filter(provider=difference.provider_id).first()
    return REPORT_SOURCES[access.source].calls if access else None


@sensitive_variables("headers")
def _ask(
    access: ReportAccess, source: SourceCalls, difference: Difference
) -> tuple[list[bytes], str]:
    """The answers as `reports.openrouter` reads them, and why there are no more."""
    answers: list[bytes] = []
    try:
        headers = REPORT_SOURCES[access.source].headers(security.unseal_from(access, "sealed"))
        for call in _calls(source, difference):
            query = [(source.parameter, call.request_id)]
            status, body = ask_provider(access.base_url + source.path, headers, query)
            if status not in (_FOUND, _NOT_FOUND):
                return answers, f"The provider answered HTTP {status}."
            answer = source.pack(call.group.day, call.request_id, status, body)
            read_lines(b"[%s]" % answer, format_name=source.format)
            answers.append(answer)
    except (NotFetchedError, UnreadableError, CannotUnseal) as error:
        return answers, str(error)
    return answers, ""


def _calls(source: SourceCalls, difference: Difference) -> list[OwnCall]:
    """The calls of the difference to ask for, the dearest first."""
    day = difference.day
    whole = Group(day, difference.api_key, difference.model)
    report = _report(source, difference)
    known = set(report.lines.values_list("request_id", flat=True)) if report else set()
    own = metered(str(difference.provider_id), since=day, until=day)
    calls = [
        call
        for call in metered_calls(own, since=day, until=day)
        if is_of(call.group, whole) and call.request_id not in known
    ]
    calls.sort(key=lambda call: (-call.cost, call.charge_id))
    return calls[: max(0, CALLS_A_DAY - len(known))]


def _report(source: SourceCalls, difference: Difference) -> ProviderReport | None:
    """What the provider has told of calls of the day by now."""
    rows = ProviderReport.objects.filter(provider=difference.provider_id, format=source.format)
    return rows.filter(since=difference.day).order_by("pk").last()


def _keep(
    difference: Difference, source: SourceCalls, answers: list[bytes], *, now: datetime
) -> None:
    """A later report of a day replaces the earlier one, so it has the answers of that, too."""
    earlier = _report(source, difference)
    known = [bytes(earlier.content)[1:-1]] if earlier else []
    file = ReportFile(
        provider=str(difference.provider_id),
        format=source.format,
        content=b"[%s]" % b", ".join([*known, *answers]),
    )
    day = difference.day
    import_report(file, days=(day, day), actor=_ACTOR, now=now)
