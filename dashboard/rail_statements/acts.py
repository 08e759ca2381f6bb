"""What people may do: import statements, and match them with the ledger."""

from datetime import datetime
from typing import Any

from django import forms

from common import formatting
from dashboard.acts import Act, NoQuestions, Outcome
from security.actor import Actor
from treasury import services as treasury
from treasury.models import Account, AccountKind, RailStatement
from treasury.queries import accounts_to_fetch, statements_to_match
from treasury.rail_statements import FORMATS
from treasury.rail_statements.csv_file import FIELDS
from treasury.refusals import RailStatementUnreadable
from treasury.services import RailStatementFile

_RECONCILE = "treasury.reconcile"


def _balance(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        max_digits=30,
        decimal_places=9,
        help_text="As the bank or rail shows it; only of a file that does not tell it.",
    )


class StatementForm(NoQuestions):
    """Asks for a statement."""

    account = forms.ChoiceField(help_text="The account of the ledger that the file is of.")
    format = forms.ChoiceField(
        choices=[(name, each.label) for name, each in FORMATS.items()],
        help_text="How the file is read.",
    )
    file = forms.FileField(
        help_text="The file of the bank or rail, up to 2 MB; the command import_rail_statement "
        "takes 10 MB. The same file, and the same days, are imported once."
    )
    columns = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text=f"Of a CSV file whose headings are not {', '.join(FIELDS)}: a line for each of "
        "these, such as day=Date. With net, the rest of the amount is a fee. "
        "Where no number tells its decimal mark, add decimal=comma or decimal=point.",
    )
    opening = _balance("Opening balance")
    closing = _balance("Closing balance")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        names = _rails().values_list("name", flat=True)
        self.fields["account"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


def _rails() -> Any:
    return Account.objects.filter(kind=AccountKind.RAIL)


class FetchForm(NoQuestions):
    """Asks for a rail, and the first day of its first statement."""

    account = forms.ChoiceField(help_text="The account of the rail whose vendor is asked.")
    since = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        label="First day",
        help_text="Of the first statement, in UTC; others follow the last one by themselves.",
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.fields["account"].choices = [(name, name) for name in accounts_to_fetch()]  # type: ignore[attr-defined]


def _fetch(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    found = treasury.fetch_rail_statement(
        asked["account"], since=asked["since"], actor=actor, now=now
    )
    return _kept(*found)


def _import(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    uploaded = asked["file"]
    file = RailStatementFile(
        account=asked["account"],
        format=asked["format"],
        content=uploaded.read(),
        columns=_columns(asked["columns"]),
        opening=asked["opening"],
        closing=asked["closing"],
        name=uploaded.name,
    )
    return _kept(*treasury.import_rail_statement(file, actor=actor, now=now))


def _kept(statement: RailStatement, count: int) -> str:
    lines = formatting.count(statement.line_count, "line")
    return (
        f"Statement {statement.pk} is kept: {lines} from {statement.since} to {statement.until}. "
        f"{_open(count)}"
    )


def _columns(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise RailStatementUnreadable("Write each column as field=heading, such as day=Date.")
    return {name.strip(): heading.strip() for name, _, heading in pairs}


def _match(subject: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    accounts = list(statements_to_match())
    count = sum(
        treasury.match_rail_statements(account, actor=actor, now=now) for account in accounts
    )
    return _open(count)


def _open(count: int) -> str:
    return f"{formatting.count(count, 'difference').capitalize()} open."


STATEMENT_ACTS = [
    Act(
        name="import",
        button="Import a statement",
        about="The file is kept as it is, with its lines, and never changed. Its lines are matched "
        "with the transfers of the account; what is left on either side is a difference.",
        permission=_RECONCILE,
        form=StatementForm,
        applies=lambda subject: _rails().exists(),
        perform=_import,
    ),
    Act(
        name="fetch",
        button="Fetch from a rail",
        about="The vendor is asked for the days that are over in UTC, at most 31; nothing moves. "
        "Its answers are kept as they are. Fees that it tells are booked to the fees of the rail. "
        "After the first statement, Butler fetches each day by itself.",
        permission=_RECONCILE,
        form=FetchForm,
        applies=lambda subject: bool(accounts_to_fetch()),
        perform=_fetch,
    ),
    Act(
        name="match",
        button="Match again",
        about="Lines that are left are matched with what was recorded since. Butler does it every "
        "hour, too.",
        permission=_RECONCILE,
        form=NoQuestions,
        applies=lambda subject: RailStatement.objects.exists(),
        perform=_match,
    ),
]
