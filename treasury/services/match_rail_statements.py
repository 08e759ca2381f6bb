"""Match statements of rails with the ledger, and bring the worklist of differences up to date."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import connection, transaction

from common.bulk_copy import copy_rows
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import Account, Difference, DifferenceStatus, RailMatch, RailStatement
from treasury.models.transfer_triggers import LEDGER_LOCK
from treasury.queries.rail_statements import (
    expected_opening,
    matched_lines,
    unmatched_lines,
    unmatched_transfers,
)
from treasury.rail_statements.matching import Match, RailDifferenceKind, Unmatched, match
from treasury.services.difference_alerts import tell_of_rail
from treasury.services.fees import book_fetched_fees

# Two would each write the matches that the other finds. It is that of comparisons with bills, too.
_LOCK = LEDGER_LOCK + 2
_STATUS = DifferenceStatus


@dataclass(frozen=True)
class _Found:
    """A difference, and the statement that it is of."""

    statement: RailStatement
    what: Unmatched


def lock_statements() -> None:
    """Keep others from importing or matching statements until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


@transaction.atomic(durable=True)
def match_rail_statements(account: Account, *, actor: Actor, now: datetime) -> int:
    """Match what the statements and the ledger have by now; how many differences are open."""
    lock_statements()
    return match_account(account, actor=actor, now=now)


def match_account(account: Account, *, actor: Actor, now: datetime) -> int:
    """As `match_rail_statements`, in the caller's transaction and under its lock.

    What is matched stays so. What was found before and is settled stays so; what is not found any
    more is gone. Fees that a vendor tells itself are booked. An alert tells of open differences.
    """
    statements = list(
        RailStatement.objects.filter(account=account).defer("content").order_by("since")
    )
    if not statements:
        return 0
    outcome = match(
        unmatched_lines(account),
        unmatched_transfers(account, since=statements[0].since),
        until=statements[-1].until,
        earlier=matched_lines(account),
    )
    _keep(outcome.matches, now=now)
    left = book_fetched_fees(account, outcome.unmatched, actor=actor, now=now)
    found = [_Found(_statement_of(statements, each), each) for each in left]
    found += _balances(statements)
    has_changed = _bring_up_to_date(account, found, now=now)
    count = Difference.objects.filter(account=account, status=_STATUS.OPEN).count()
    fees = len(outcome.unmatched) - len(left)
    if outcome.matches or has_changed or fees:
        audit.record(
            actor=actor,
            action=Action.RAIL_STATEMENT_MATCH,
            subject=f"account:{account.pk}",
            after={"matched": len(outcome.matches), "open": count}
            | ({"fees": fees} if fees else {}),
            at=now,
        )
    tell_of_rail(account, actor=actor, now=now)
    return count


def _keep(matches: Iterable[Match], *, now: datetime) -> None:
    rows = ((each.line_id, each.transfer_id, each.rule, now) for each in matches)
    copy_rows(RailMatch, ("line_id", "transfer_id", "rule", "matched_at"), rows)


def _statement_of(statements: Sequence[RailStatement], each: Unmatched) -> RailStatement:
    """The statement that has the day, or the first one after it."""
    return next((one for one in statements if one.until >= each.day), statements[-1])


def _balances(statements: Sequence[RailStatement]) -> list[_Found]:
    """Statements that do not begin with what the ledger has. Their ends need no look: their lines
    make up the rest, and each of these is matched or a difference."""
    found = []
    before: RailStatement | None = None
    for statement in statements:
        own = expected_opening(statement, before)
        if own != statement.opening:
            whose = f"statement {before.pk} and the ledger" if before else "the ledger"
            day = statement.since - timedelta(days=1)
            evidence = f"By {whose}, {own:f} were on the account at the end of {day}."
            what = Unmatched(
                RailDifferenceKind.BALANCE, statement.since, own, statement.opening, evidence
            )
            found.append(_Found(statement, what))
        before = statement
    return found


def _bring_up_to_date(account: Account, found: Sequence[_Found], *, now: datetime) -> bool:
    """Whether anything is new, back or gone."""
    by_print = {_fingerprint(each.what): each for each in found}
    rows = Difference.objects.filter(account=account)
    known = {bytes(one): (pk, status) for one, pk, status in _known(account)}
    back = [pk for one, (pk, status) in known.items() if one in by_print and status == _STATUS.GONE]
    gone = [
        pk for one, (pk, status) in known.items() if one not in by_print and status == _STATUS.OPEN
    ]
    rows.filter(pk__in=back).update(status=_STATUS.OPEN)
    rows.filter(pk__in=gone).update(status=_STATUS.GONE)
    new = [one for one in by_print if one not in known]
    values = [_values(account, one, by_print[one], now=now) for one in new]
    copy_rows(Difference, _COLUMNS, values)
    return bool(back or gone or new)


def _known(account: Account) -> Iterable[tuple[bytes | memoryview, int, str]]:
    return Difference.objects.filter(account=account).values_list("fingerprint", "pk", "status")


def _fingerprint(what: Unmatched) -> bytes:
    """Without the evidence, which names days that later statements move on."""
    told = [what.kind, what.line_id, what.transfer_id, what.day.isoformat()]
    told += [f"{what.own:f}", f"{what.theirs:f}"]
    return sha256(json.dumps(told).encode()).digest()


_COLUMNS = (
    *("account_id", "fingerprint", "statement_id", "line_id", "own_transfer_id", "kind", "day"),
    *("api_key", "model", "their_key", "their_model", "own", "theirs", "currency", "evidence"),
    *("request_id", "status", "reason", "settled_by", "found_at"),
    *("asked_persons", "approved_persons"),
)


def _values(
    account: Account, fingerprint: bytes, found: _Found, *, now: datetime
) -> tuple[object, ...]:
    what = found.what
    return (
        *(account.pk, fingerprint, found.statement.pk, what.line_id, what.transfer_id),
        *(str(what.kind), what.day, "", "", "", "", what.own, what.theirs, account.currency),
        *(what.evidence[:500], "", _STATUS.OPEN.value, "", "", now, [], []),
    )
