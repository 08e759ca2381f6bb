"""Import the statements of rails and banks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from django.db import transaction

from common.bulk_copy import copy_rows
from common.file_text import UnreadableError
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import Account, AccountKind, RailStatement, RailStatementLine
from treasury.rail_statements import FORMATS, read
from treasury.rail_statements.movements import Asked, Movement, StatementFile
from treasury.refusals import (
    AccountNotFound,
    RailStatementKnown,
    RailStatementOverlaps,
    RailStatementUnreadable,
)
from treasury.services.match_rail_statements import lock_statements, match_account


@dataclass(frozen=True, kw_only=True)
class RailStatementFile:
    """A statement as it came, of an account of the ledger. `format`: one of
    `treasury.rail_statements.FORMATS`. `columns`: the heading of each field of a CSV file that has
    another name there. `opening`, `closing`: the balances of a file that does not tell them."""

    account: str
    format: str
    content: bytes
    columns: Mapping[str, str] = field(default_factory=dict)
    opening: Decimal | None = None
    closing: Decimal | None = None
    name: str = ""


def import_rail_statement(
    file: RailStatementFile, *, actor: Actor, now: datetime
) -> tuple[RailStatement, int]:
    """Keep a statement with its lines, all or nothing, and match it with the ledger; returns it and
    how many differences of the account are open.

    Refusals: AccountNotFound, RailStatementUnreadable, RailStatementKnown, RailStatementOverlaps.
    """
    if file.format not in FORMATS:
        known = ", ".join(FORMATS)
        raise RailStatementUnreadable(f"No file is a {file.format}. Use one of {known}.")
    return keep_rail_statement(file, actor=actor, now=now)


def keep_rail_statement(
    file: RailStatementFile, *, actor: Actor, now: datetime
) -> tuple[RailStatement, int]:
    """As `import_rail_statement`, also of what Butler has fetched itself."""
    account = _account(file.account)
    try:
        asked = Asked(file.columns, opening=file.opening, closing=file.closing)
        found = read(file.content, format_name=file.format, asked=asked)
        _check_amounts(account, found)
    except UnreadableError as error:
        raise RailStatementUnreadable(str(error)) from None
    return _keep(account, file, found, actor=actor, now=now)


def _account(name: str) -> Account:
    account = Account.objects.filter(name=name).first()
    if account is None:
        raise AccountNotFound(account=name)
    if account.kind != AccountKind.RAIL:
        raise RailStatementUnreadable(f"{account} is no rail or bank: only these have statements.")
    return account


def _check_amounts(account: Account, found: StatementFile) -> None:
    if found.currency and found.currency != account.currency:
        raise UnreadableError(
            f"The file is in {found.currency}, and {account} in {account.currency}."
        )
    for number, each in enumerate(found.movements, 1):
        if each.amount != round(each.amount, account.scale):
            raise UnreadableError(
                f"Line {number} has an amount of {each.amount:f}; {account} takes "
                f"{account.scale} decimal places."
            )


@transaction.atomic(durable=True)
def _keep(
    account: Account, file: RailStatementFile, found: StatementFile, *, actor: Actor, now: datetime
) -> tuple[RailStatement, int]:
    lock_statements()
    digest = sha256(file.content).digest()
    _check_new(account, found, digest)
    statement = RailStatement.objects.create(
        account=account,
        format=file.format,
        columns=dict(file.columns),
        their_account=found.account,
        since=_since(account, found),
        until=found.until,
        opening=found.opening,
        closing=found.closing,
        content=file.content,
        digest=digest,
        line_count=len(found.movements),
        file_name=file.name[:200],
        imported_by=str(actor),
        imported_at=now,
    )
    rows = ((statement.pk, number, *each) for number, each in enumerate(found.movements, 1))
    copy_rows(RailStatementLine, ("statement_id", "position", *Movement._fields), rows)
    audit.record(
        actor=actor,
        action=Action.RAIL_STATEMENT_IMPORT,
        subject=f"rail_statement:{statement.pk}",
        after={
            "account": account.name,
            "format": file.format,
            "lines": statement.line_count,
            "since": statement.since.isoformat(),
            "until": statement.until.isoformat(),
            "closing": statement.closing,
        },
        at=now,
    )
    return statement, match_account(account, actor=actor, now=now)


def _check_new(account: Account, found: StatementFile, digest: bytes) -> None:
    earlier = RailStatement.objects.filter(account=account)
    if same := earlier.filter(digest=digest).first():
        raise RailStatementKnown(statement_id=same.pk)
    if other := earlier.filter(since__lte=found.until, until__gte=found.since).first():
        raise RailStatementOverlaps(statement_id=other.pk, since=other.since, until=other.until)
    number = earlier.exclude(their_account="").values_list("their_account", flat=True).first()
    if number and found.account and number != found.account:
        raise RailStatementUnreadable(
            f"The file is of {found.account}, and earlier statements of {account} are of {number}."
        )


def _since(account: Account, found: StatementFile) -> date:
    """The first day. If it begins with what the one before ended with, nothing moved between."""
    before = RailStatement.objects.filter(account=account, until__lt=found.since).first()
    if before is not None and before.closing == found.opening:
        return before.until + timedelta(days=1)
    return found.since
