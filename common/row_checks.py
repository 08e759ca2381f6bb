"""Invariants as queries: each finds the rows that break it, so an empty answer means it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.backends.utils import CursorWrapper

_SHOWN = 5


class Check(NamedTuple):
    """An invariant: its name, what it says, and the SQL of the rows that break it."""

    name: str
    says: str
    broken: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: how many rows break it, and the first of them."""

    check: Check
    count: int
    rows: list[dict[str, object]]


def run_checks(checks: Sequence[Check]) -> list[Finding]:
    """Run every check and return a finding for each; `count` is 0 where the invariant holds.

    One statement sees one snapshot, so a check is right while others write.
    """
    with connection.cursor() as cursor:
        return [_run(cursor, check) for check in checks]


def _run(cursor: CursorWrapper, check: Check) -> Finding:
    cursor.execute(check.broken)
    names = [column.name for column in cursor.description]
    first = [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(_SHOWN)]
    return Finding(check, cursor.rowcount, first)


class CheckCommand(BaseCommand):
    """One line per check, then the first that is broken; exit code 1 if one is."""

    balance = ""

    def findings(self) -> list[Finding]:
        """Run the checks of the subclass."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks and print the findings; CommandError for the first broken one."""
        findings = self.findings()
        for finding in findings:
            self.stdout.write(f"{_state(finding):<7} {finding.check.name}: {finding.check.says}")
        broken = [finding for finding in findings if finding.count]
        if broken:
            raise CommandError(_explanation(broken[0]))
        self.stdout.write(f"{self.balance}: {len(findings)} checks.")


def _state(finding: Finding) -> str:
    return "BROKEN" if finding.count else "ok"


def _explanation(finding: Finding) -> str:
    rows = "\n".join(
        "  " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in finding.rows
    )
    return f"Broken: {finding.check.name}, by {finding.count} rows. The first:\n{rows}"
