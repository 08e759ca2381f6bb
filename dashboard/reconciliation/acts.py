"""What people may do: import reports, compare, and settle differences."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from common import formatting
from dashboard.acts import Act, ActForm, NoQuestions, Outcome
from keys.models import Provider
from security.actor import Actor
from security.models import Approval
from treasury import services as treasury
from treasury.models import ALONE_MAX, Difference, DifferenceStatus, ProviderReport, ReportAccess
from treasury.rail_statements.matching import RailDifferenceKind
from treasury.reconciliation.differences import DifferenceKind
from treasury.reconciliation.report_sources import REPORT_SOURCES
from treasury.reconciliation.reports import FORMATS
from treasury.refusals import ReportUnreadable
from treasury.services import CALLS_A_DAY, ReportFile

_RECONCILE, _ACCESS = "treasury.reconcile", "treasury.change_reportaccess"


class _ProviderForm(NoQuestions):
    provider = forms.ChoiceField(help_text="The provider whose bill it is.")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        providers = Provider.objects.values_list("slug", "name")
        self.fields["provider"].choices = list(providers)  # type: ignore[attr-defined]


class ReportForm(_ProviderForm):
    """Asks for a report."""

    format = forms.ChoiceField(
        choices=[(name, each.label) for name, each in FORMATS.items()],
        help_text="How the file is read: the answer of the provider's API as JSON, or CSV.",
    )
    file = forms.FileField(
        help_text="The file of the provider, up to 2 MB; the command import_provider_report takes "
        "50 MB. The same file is imported once."
    )
    columns = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="Of a CSV file whose headings are not day, key, model, kind, quantity, amount, "
        "currency, request_id: a line for each of these, such as amount=Cost in USD. Where no "
        "number tells its decimal mark, add decimal=comma or decimal=point.",
    )


class FetchForm(ActForm):
    """Asks whose reports are fetched, and with which key."""

    provider = forms.ChoiceField(help_text="The provider whose bill it is.")
    source = forms.ChoiceField(
        label="Reports of",
        choices=[(each.slug, each.name) for each in REPORT_SOURCES.values()],
        help_text="Reports of others are imported as files.",
    )
    since = forms.DateField(
        label="From",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The first day, in UTC as the provider bills it.",
    )
    base_url = forms.URLField(
        label="Base URL",
        required=False,
        assume_scheme="https",
        help_text="Leave it empty for the provider's usual one.",
    )
    secret = forms.CharField(
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="The admin key. Butler stores it sealed, sends it to this provider alone, and "
        "never shows it again.",
    )
    field_order = ("provider", "source", "since", "base_url", "secret", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        providers = Provider.objects.values_list("slug", "name")
        self.fields["provider"].choices = list(providers)  # type: ignore[attr-defined]
        yesterday = timezone.now().date() - timedelta(days=1)
        self.fields["since"].initial = yesterday.replace(day=1)


class FetchedForm(ActForm):
    """Asks whose reports are fetched no more."""

    provider = forms.ChoiceField(help_text="The provider whose reports are fetched.")
    field_order = ("provider", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        asked = ReportAccess.objects.values_list("provider_id", "provider__name")
        self.fields["provider"].choices = list(asked)  # type: ignore[attr-defined]


class RunForm(_ProviderForm):
    """Asks what is compared."""

    since = forms.DateField(
        label="From",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The first day, in UTC as the provider bills it.",
    )
    until = forms.DateField(
        label="Through",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The last day.",
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        last = timezone.now().date().replace(day=1) - timedelta(days=1)
        self.fields["since"].initial = last.replace(day=1)
        self.fields["until"].initial = last


def _import(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    uploaded = asked["file"]
    file = ReportFile(
        provider=asked["provider"],
        format=asked["format"],
        content=uploaded.read(),
        columns=_columns(asked["columns"]),
        name=uploaded.name,
    )
    report, is_new = treasury.import_report(file, actor=actor, now=now)
    if not is_new:
        return f"This is report {report.pk} already. Nothing was changed."
    lines = formatting.count(report.line_count, "line")
    return f"Report {report.pk} is kept: {lines} from {report.since} to {report.until}."


@sensitive_variables("asked", "secret")
def _set_fetch(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    provider = asked.pop("provider")
    treasury.set_report_access(provider, actor=actor, now=now, **asked)
    treasury.ask_reports(provider)
    return "The provider is asked now, and each day until its figures of a day agree."


def _fetch(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    for access in ReportAccess.objects.all():
        treasury.ask_reports(access.provider_id)
    return "The providers are being asked. Load this page again to see what they told."


def _fetch_no_more(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.remove_report_access(asked["provider"], reason=asked["reason"], actor=actor, now=now)
    return "The provider is asked no more. Its reports stay."


def _are_fetched(subject: Any) -> bool:
    return ReportAccess.objects.exists()


def _columns(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise ReportUnreadable("Write each column as field=heading, such as amount=Cost in USD.")
    return {name.strip(): heading.strip() for name, _, heading in pairs}


def _run(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    done = treasury.reconcile(
        asked["provider"], since=asked["since"], until=asked["until"], actor=actor, now=now
    )
    found = formatting.count(done.run.found, "difference")
    trued = formatting.count(done.trued_up, "estimate")
    before = f"{trued} trued up. " if done.trued_up else ""
    return f"{before}{found} found, {done.new} of them new."


def _explain(row: Difference, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.explain_difference(row.pk, reason=asked["reason"], actor=actor, now=now)
    return "The difference is explained."


def _learn(row: Difference, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.learn_names(row.pk, reason=asked["reason"], actor=actor, now=now)
    return "The next comparison knows that both names mean the same."


def _accept(row: Difference, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.accept_difference(row.pk, reason=asked["reason"], actor=actor, now=now)
    return "The difference is accepted as it is."


def _adjust(row: Difference, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    outcome = treasury.adjust_difference(row.pk, reason=asked["reason"], actor=actor, now=now)
    if isinstance(outcome, Approval):
        return outcome
    return f"Charge {outcome.charge_id} counts for what the provider bills."


def _book_fee(row: Difference, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.book_difference_as_fee(row.pk, reason=asked["reason"], actor=actor, now=now)
    return "The fee is booked and matched with the line."


def _book_own(row: Difference, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.book_difference_as_own_transfer(row.pk, reason=asked["reason"], actor=actor, now=now)
    return "The own transfer is booked and matched with the line."


def _can_be_own(row: Difference) -> bool:
    return bool(row.line_id) and row.own_transfer_id is None and bool(row.theirs)


def _can_be_a_fee(row: Difference) -> bool:
    return bool(row.line_id) and row.own_transfer_id is None and row.theirs < 0


def _ask_calls(row: Difference, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    treasury.ask_calls(row.pk)
    return (
        "The provider is being asked. Load the page of reconciliation again to see which calls "
        "explain it."
    )


def _is_open(row: Difference) -> bool:
    return row.status == DifferenceStatus.OPEN


def _can_be_adjusted(row: Difference) -> bool:
    if row.account_id:
        return bool(row.amount) and row.kind != RailDifferenceKind.MISSING_LINE
    return row.currency == "USD" and bool(row.amount)


OFFICE_ACTS = [
    Act(
        name="fetch",
        button="Fetch now",
        about="Butler asks each provider whose reports are fetched for the days that do not agree "
        "yet. It also does so once a day.",
        permission=_RECONCILE,
        form=NoQuestions,
        applies=_are_fetched,
        perform=_fetch,
    ),
    Act(
        name="fetch-access",
        button="Fetch reports",
        about="Butler fetches a provider's reports of usage and cost each day, with an admin key: "
        "each day again until two fetches a day apart agree.",
        permission=_ACCESS,
        form=FetchForm,
        is_confirmed=True,
        perform=_set_fetch,
    ),
    Act(
        name="fetch-no-more",
        button="Fetch no more",
        about="Butler forgets the admin key and does not ask this provider for reports any more.",
        permission=_ACCESS,
        form=FetchedForm,
        applies=_are_fetched,
        perform=_fetch_no_more,
    ),
    Act(
        name="import",
        button="Import a report",
        about="The file is kept as it is, with its lines, and never changed. A later report of a "
        "day replaces the earlier ones of the same format.",
        permission=_RECONCILE,
        form=ReportForm,
        perform=_import,
    ),
    Act(
        name="run",
        button="Compare",
        about="The latest reports are compared with what Butler metered. What is settled stays "
        "settled; what is not found any more is gone.",
        permission=_RECONCILE,
        form=RunForm,
        applies=lambda subject: ProviderReport.objects.exists(),
        perform=_run,
    ),
]
DIFFERENCE_ACTS = [
    Act(
        name="calls",
        button="Ask for the calls",
        about=f"Butler asks the provider for the calls of this sum by their ids, the {CALLS_A_DAY} "
        "dearest of the day at most, keeps what it says, and compares the same days again. Calls "
        "that explain the difference take its place.",
        permission=_RECONCILE,
        form=NoQuestions,
        applies=treasury.can_ask_calls,
        perform=_ask_calls,
    ),
    Act(
        name="explain",
        button="Explain",
        about="Say why it is so. Nothing is corrected.",
        permission=_RECONCILE,
        form=ActForm,
        applies=_is_open,
        perform=_explain,
    ),
    Act(
        name="learn",
        button="It is the same",
        about="Later comparisons know that the provider's name and Butler's mean the same.",
        permission=_RECONCILE,
        form=ActForm,
        applies=lambda row: _is_open(row) and row.kind == DifferenceKind.OTHER_NAME,
        perform=_learn,
    ),
    Act(
        name="adjust",
        button="Adjust",
        about="Where one call is known, its charge counts for what the provider bills, in a dated "
        f"row; above {ALONE_MAX} USD, a second person approves it. For a sum, a second person "
        "approves a transfer between the credit, or the account of a rail, and what is "
        "unexplained.",
        permission=_RECONCILE,
        form=ActForm,
        applies=lambda row: _is_open(row) and _can_be_adjusted(row),
        perform=_adjust,
    ),
    Act(
        name="fee",
        button="Book as a fee",
        about="The rail took it as a fee: a transfer from its account to its fees, of the day of "
        "the line, which is matched with it.",
        permission=_RECONCILE,
        form=ActForm,
        applies=lambda row: _is_open(row) and _can_be_a_fee(row),
        perform=_book_fee,
    ),
    Act(
        name="own",
        button="Book as an own transfer",
        about="The money went to another account of the organisation, such as a payout of Stripe "
        "to the bank, or came from one, also if the payout failed. Until a line of the other "
        "account is booked, too, it is in transit. No more can arrive than has left.",
        permission=_RECONCILE,
        form=ActForm,
        applies=lambda row: _is_open(row) and _can_be_own(row),
        perform=_book_own,
    ),
    Act(
        name="accept",
        button="Accept",
        about="It stays as it is, for instance because it is too small to ask the provider.",
        permission=_RECONCILE,
        form=ActForm,
        applies=_is_open,
        perform=_accept,
    ),
]
