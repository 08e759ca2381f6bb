"""Compare what is in the tables with what was sealed, and the seals with what was signed.

Everything is computed from the columns of the rows; triggers and constraints are not trusted.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from security.audit_chain.checkpoint import SignedCheckpoint
from security.audit_chain.models import Seal
from security.audit_chain.tail import UnsealedTail, unsealed_tail
from security.audit_chain.verify_rows import RowsVerifier
from security.audit_chain.verify_seals import SealsVerifier

# A row waits a second to be sealed. After a minute, something is wrong.
LAG_MAX = timedelta(minutes=1)
# If a whole table is gone, nobody reads a sentence for each row.
FINDINGS_MAX = 1_000
_ROWS_AT_ONCE = 5_000

Progress = Callable[[int], None]


@dataclass
class Verification:
    """What was verified: the number of sealed rows and of seals, and the tail that waits.

    `deleted`: how many of the rows are gone by the rules of their app, such as retention.
    `findings` are sentences about what is wrong, at most 1,000 of the `wrong` that there are.
    """

    rows: int = 0
    seals: int = 0
    deleted: int = 0
    tail: UnsealedTail = field(default_factory=UnsealedTail)
    wrong: int = 0
    findings: list[str] = field(default_factory=list)

    def report(self, finding: str) -> None:
        """Add a finding."""
        self.wrong += 1
        if self.wrong <= FINDINGS_MAX:
            self.findings.append(finding)


def verify(
    *,
    anchors: Iterable[SignedCheckpoint] = (),
    now: datetime,
    on_rows: Progress = lambda rows: None,
) -> Verification:
    """Verify the whole chain, and that it contains the `anchors`: checkpoints kept outside.

    Calls `on_rows` with the number of rows after each part. Changes nothing and locks nothing.
    Raises KeyringUnusable.
    """
    verification = Verification()
    seals = SealsVerifier(verification.report, anchors)
    rows = RowsVerifier(verification.report)
    for part in parts():
        for seal in part:
            seals.check(seal)
        rows.check(part)
        sealed = sum(len(seal.rows) for seal in part)
        verification.rows += sealed
        verification.seals += len(part)
        on_rows(sealed)
    seals.check_end()
    rows.check_end()
    verification.deleted = rows.deleted
    verification.tail = unsealed_tail()
    if verification.tail.age(now) > LAG_MAX:
        verification.report(
            f"{verification.tail}, the oldest since "
            f"{verification.tail.oldest_at:%Y-%m-%d %H:%M:%S} UTC: the sealer does not run or "
            "cannot go on."
        )
    return verification


def parts(*, until: int | None = None) -> Iterator[list[Seal]]:
    """The seals by number in parts of about 5,000 rows, as far as they go now or `until` one."""
    if until is None:
        until = Seal.objects.values_list("number", flat=True).first() or 0
    part: list[Seal] = []
    rows = 0
    seals = Seal.objects.order_by("number").filter(number__lte=until)
    for seal in seals.iterator(chunk_size=1_000):
        part.append(seal)
        rows += len(seal.rows)
        if rows >= _ROWS_AT_ONCE:
            yield part
            part, rows = [], 0
    if part:
        yield part
