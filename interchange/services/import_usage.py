"""Import usage that another system recorded: checked as a whole first, then written once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from common.file_text import UnreadableError
from interchange.state_files.files import MalformedFile
from interchange.usage_files.matching import MatchedRow, UsageNames, match
from interchange.usage_files.reading import UsageFile, Wrong, read
from keys import services as keys
from keys.identity.queries.organisation import organisation
from keys.limits.periods import check_zone
from keys.refusals import WrongValue
from security.actor import Actor

# Agents wait while one batch is written.
_SESSIONS_AT_ONCE = 1_000
_DIFFERS = (
    "The row was imported before with other figures. Leave it out, and adjust the charge of the "
    "session {session_id} instead; if it is other usage, give the rows an id."
)
_CLOSED = "{name} is closed. Reopen the month, or leave out its rows."


@dataclass(frozen=True, kw_only=True)
class UsageSource:
    """A file of usage and how to read it: see `usage_files.reading.read` and `UsageNames`.

    `zone`: the IANA zone of its days and of times without one; blank is the reporting zone.
    """

    name: str
    content: bytes
    columns: Mapping[str, str] = field(default_factory=dict)
    names: UsageNames = UsageNames()
    zone: str = ""


class UsageProblem(NamedTuple):
    """What is wrong with `rows` rows of the file; `where` is the first of them."""

    where: str
    problem: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class UsageImport:
    """What became, or would become, of the rows of a file.

    `new` rows with their `tokens`, their `cost` in USD, and the moments of the first and the last;
    `priced` of them have no cost in the file and count at the present prices of their keys. `there`
    were imported before, `empty` used nothing. `unread`: headings of columns that say nothing to
    Butler. With a problem, nothing is written.
    """

    new: int
    there: int
    empty: int
    priced: int
    tokens: int
    cost: Decimal
    since: datetime | None
    until: datetime | None
    unread: Sequence[str]
    problems: Sequence[UsageProblem]


def import_usage(
    source: UsageSource,
    *,
    dry_run: bool,
    actor: Actor,
    now: datetime,
    begin: Callable[[int], Callable[[int], None]] = lambda rows: lambda done: None,
) -> UsageImport:
    """Write the rows of a CSV file as settled charges that are marked as imported.

    Each row is a closed session with one charge. A row that was imported before is left out. With
    a problem, or with `dry_run`, nothing is written. Rows are written in batches, between which
    agents spend on; after a crash, the same file writes the rest. `begin` is called with the
    number of rows to write, and what it returns with the number of each batch. Refusals:
    MalformedFile, WrongValue (the zone).
    """
    try:
        zone = check_zone(source.zone or organisation().reporting_zone)
    except ValueError as error:
        raise WrongValue(str(error), field="zone") from None
    try:
        file = read(source.content, columns=source.columns, zone=zone)
    except UnreadableError as error:
        raise MalformedFile(f"{source.name}: {error}", file=source.name) from None
    used = [row for row in file.rows if not row.is_empty]
    matches = match(used, names=source.names, now=now)
    new, refused = _unknown(matches.matched, file=source.name)
    there = len(matches.matched) - len(new) - len(refused)
    outcome = _outcome(file, new, wrong=[*file.wrong, *matches.wrong, *refused], there=there)
    if not (dry_run or outcome.problems):
        tell = begin(len(new))
        for batch in _batches(sorted(new, key=attrgetter("at"))):
            sessions = [each.session(file=source.name) for each in batch]
            keys.import_usage(sessions, source=source.name, actor=actor, now=now)
            tell(len(batch))
    return outcome


def _batches(matched: Sequence[MatchedRow]) -> Iterator[Sequence[MatchedRow]]:
    for start in range(0, len(matched), _SESSIONS_AT_ONCE):
        yield matched[start : start + _SESSIONS_AT_ONCE]


def _unknown(matched: Sequence[MatchedRow], *, file: str) -> tuple[list[MatchedRow], list[Wrong]]:
    """The rows that are not in the books yet, and those that contradict the books."""
    new, wrong = [], []
    for batch in _batches(matched):
        known = keys.known_usage([each.session(file=file) for each in batch])
        for each in batch:
            session_id = each.session_id
            if session_id in known.differing:
                wrong.append(Wrong(each.row.where, _DIFFERS.format(session_id=session_id)))
            elif name := known.closed.get(session_id):
                wrong.append(Wrong(each.row.where, _CLOSED.format(name=name)))
            elif session_id not in known.there:
                new.append(each)
    return new, wrong


def _outcome(
    file: UsageFile, new: Sequence[MatchedRow], *, wrong: Iterable[Wrong], there: int
) -> UsageImport:
    moments = [each.at for each in new]
    return UsageImport(
        new=len(new),
        there=there,
        empty=sum(row.is_empty for row in file.rows),
        priced=sum(each.row.cost is None for each in new),
        tokens=sum(each.row.usage.tokens for each in new),
        cost=sum((each.cost for each in new), Decimal(0)),
        since=min(moments, default=None),
        until=max(moments, default=None),
        unread=file.unread,
        problems=_grouped(wrong),
    )


def _grouped(wrong: Iterable[Wrong]) -> list[UsageProblem]:
    """Each problem once, with the first row that has it, in the order of the file."""
    first: dict[str, str] = {}
    rows: Counter[str] = Counter()
    for where, problem in sorted(wrong, key=lambda each: int(each.where.rpartition(" ")[2])):
        first.setdefault(problem, where)
        rows[problem] += 1
    return [UsageProblem(where, problem, rows[problem]) for problem, where in first.items()]
