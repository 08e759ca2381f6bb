"""What statements of rails and the ledger have of the same account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from treasury.models import (
    Account,
    Difference,
    DifferenceStatus,
    Phase,
    RailMatch,
    RailStatement,
    RailStatementLine,
    Transfer,
)
from treasury.models.amounts import ZERO
from treasury.queries.balances import balance
from treasury.rail_list import statement_formats
from treasury.rail_statements import FETCHED
from treasury.rail_statements.matching import LineSide, OwnSide, names_in, references_of

_POSTED = Q(phase__in=[Phase.SINGLE, Phase.POST])
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class StatementBalance:
    """The end of a statement beside the ledger on that day. `under_way`: what one side has of the
    transfers that the other has on another day."""

    closing: Decimal
    ledger: Decimal
    under_way: Decimal

    @property
    def rest(self) -> Decimal:
        """What is left, which the open and the settled differences explain."""
        return self.closing - self.ledger - self.under_way


def unmatched_lines(account: Account) -> list[LineSide]:
    """The lines of the account's statements that no transfer was found for."""
    rows = RailStatementLine.objects.filter(statement__account=account, matches=None)
    return [_line_side(each) for each in rows.exclude(amount=0).order_by("day", "pk")]


def matched_lines(account: Account) -> Mapping[str, LineSide]:
    """The lines that are matched, by each of their references."""
    rows = RailStatementLine.objects.filter(statement__account=account, matches__isnull=False)
    sides = (_line_side(each) for each in rows.distinct().order_by("-day", "-pk"))
    return {name: side for side in sides for name in side.references}


def unmatched_transfers(account: Account, *, since: date) -> list[OwnSide]:
    """What was posted on the account from a day on, and no line was found for."""
    rows = (
        Transfer.objects.filter(_POSTED, _of(account), effective_on__gte=since, rail_match=None)
        .exclude(Exists(_settles_no_line(account)))
        .select_related("pending_of")
        .order_by("effective_on", "pk")
    )
    return [
        OwnSide(
            each.pk,
            each.effective_on,
            each.amount if each.debit_id == account.pk else -each.amount,
            str(each.journal),
            references_of(each.reference, each.pending_of.reference if each.pending_of else ""),
        )
        for each in rows
    ]


def _settles_no_line(account: Account) -> QuerySet[Difference]:
    """What corrects a balance has no line on any statement."""
    return Difference.objects.filter(account=account, line=None, transfer=OuterRef("pk"))


def _line_side(each: RailStatementLine) -> LineSide:
    references = references_of(each.reference, each.their_reference)
    names = references | names_in(each.description)
    return LineSide(each.pk, each.day, each.amount, each.kind, references, names)


def _of(account: Account) -> Q:
    return Q(debit=account) | Q(credit=account)


def expected_opening(statement: RailStatement, before: RailStatement | None) -> Decimal:
    """What a statement should begin with: what the one before ended with, and what the ledger has
    of the days between; without one before, what the ledger has."""
    account, day = statement.account, statement.since - _DAY
    if before is not None and before.until == day:
        return _closing(before)
    own = _by_the_statement(account, day)
    if before is None:
        return own
    return _closing(before) + own - _by_the_statement(account, before.until)


def _closing(statement: RailStatement) -> Decimal:
    closing: Decimal = statement.closing
    return closing


def _by_the_statement(account: Account, day: date) -> Decimal:
    return balance(account, on=day) + _under_way(account, day)


def _under_way(account: Account, day: date) -> Decimal:
    """What the statements have at the end of a day and the ledger not, less the reverse, of what
    is matched: one side has it on an earlier day."""
    matches = RailMatch.objects.filter(line__statement__account=account)
    late = matches.filter(transfer__effective_on__lte=day, line__day__gt=day)
    early = matches.filter(transfer__effective_on__gt=day, line__day__lte=day)
    return _sum(account, early) - _sum(account, late)


def _sum(account: Account, matches: QuerySet[RailMatch]) -> Decimal:
    sums = matches.aggregate(
        debits=Sum("transfer__amount", filter=Q(transfer__debit=account), default=ZERO),
        credits=Sum("transfer__amount", filter=Q(transfer__credit=account), default=ZERO),
    )
    found: Decimal = sums["debits"] - sums["credits"]
    return found


def statement_balance(statement: RailStatement) -> StatementBalance:
    """The end of the statement beside the ledger."""
    account, day = statement.account, statement.until
    return StatementBalance(statement.closing, balance(account, on=day), _under_way(account, day))


def rail_statements() -> "QuerySet[Any]":
    """The statements, the latest first, without their bytes; with `open_count`."""
    is_open = Q(differences__status=DifferenceStatus.OPEN)
    return (
        RailStatement.objects.defer("content")
        .select_related("account")
        .annotate(open_count=Count("differences", filter=is_open))
        .order_by("-until", "-pk")
    )


def statement_lines(statement: RailStatement) -> QuerySet[RailStatementLine]:
    """The lines in the order of the file, with what they were matched with."""
    return statement.lines.prefetch_related("matches__transfer").order_by("position")


def open_rail_differences(*, since: date, until: date) -> QuerySet[Difference]:
    """The open differences of statements, of the days from `since` to `until`."""
    return Difference.objects.filter(
        account__isnull=False, status=DifferenceStatus.OPEN, day__gte=since, day__lte=until
    )


def has_rail_statements() -> bool:
    """Whether any statement was imported."""
    return RailStatement.objects.exists()


def accounts_to_fetch() -> list[str]:
    """The names of accounts whose vendor tells statements."""
    names = [f"rail:{slug}" for slug in statement_formats()]
    return list(Account.objects.filter(name__in=names).values_list("name", flat=True))


def statements_to_fetch(*, until: date) -> list[str]:
    """The names of accounts whose vendor was asked before, and was not asked for the day `until`:
    for the first time a person asks."""
    last = RailStatement.objects.filter(account=OuterRef("pk"), until__gte=until)
    accounts = Account.objects.filter(rail_statements__format__in=FETCHED)
    return list(accounts.exclude(Exists(last)).distinct().values_list("name", flat=True))


def rail_statement_page(
    *, account: str = "", after: int | None = None, most: int
) -> list[RailStatement]:
    """Statements in the order in which they were imported, newest first."""
    rows = rail_statements().order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    return list((rows.filter(account__name=account) if account else rows)[:most])


def statements_to_match() -> QuerySet[Account]:
    """Accounts that have statements."""
    return Account.objects.filter(rail_statements__isnull=False).distinct().order_by("pk")
