"""Invariants as queries: each finds the rows that break it, so an empty answer means it holds."""

from collections.abc import Sequence
from typing import NamedTuple

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

_SHOWN = 5


class Check(NamedTuple):
    """An invariant: its name, what it says, and the SQL of the rows that break it."""

    name: str
    says: str
    broken: str


class Finding(NamedTuple):
    """What a check found: how many rows break it, and the first of them."""

    check: Check
    count: int
    rows: list[dict[str, object]]


def found(checks: Sequence[Check]) -> list[Finding]:
    """Run every check; a finding each, with `count` 0 where the invariant holds.

    One statement sees one snapshot, so a check is right while others write.
    """
    with connection.cursor() as cursor:
        return [_found(cursor, check) for check in checks]


def _found(cursor, check: Check) -> Finding:
    cursor.execute(check.broken)
    names = [column.name for column in cursor.description]
    first = [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(_SHOWN)]
    return Finding(check, cursor.rowcount, first)


class CheckCommand(BaseCommand):
    """One line per check, then the first that is broken; exit code 1 if one is."""

    balance = ""

    def findings(self) -> list[Finding]:
        """What the checks found."""
        raise NotImplementedError

    def handle(self, **options):
        """Check and tell."""
        findings = self.findings()
        for finding in findings:
            self.stdout.write(f"{_state(finding):<7} {finding.check.name}: {finding.check.says}")
        broken = [finding for finding in findings if finding.count]
        if broken:
            raise CommandError(_explained(broken[0]))
        self.stdout.write(f"{self.balance}: {len(findings)} checks.")


def _state(finding: Finding) -> str:
    return "BROKEN" if finding.count else "ok"


def _explained(finding: Finding) -> str:
    rows = "\n".join(
        "  " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in finding.rows
    )
    return f"Broken: {finding.check.name}, by {finding.count} rows. The first:\n{rows}"
