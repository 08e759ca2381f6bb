"""`manage.py check_books`."""

from django.core.management.base import BaseCommand, CommandError

from keys.queries.books_check import Finding, books_check


class Command(BaseCommand):
    """Count every invariant of the books again from the rows."""

    help = (
        "Count every invariant of the books again from the rows; exit code 1 when one is broken, "
        "with the name of the first and its first rows. Changes nothing."
    )

    def handle(self, **options):
        """One line per check, then the first that is broken."""
        findings = books_check()
        for finding in findings:
            self.stdout.write(f"{_state(finding):<7} {finding.check.name}: {finding.check.says}")
        broken = [finding for finding in findings if finding.count]
        if broken:
            raise CommandError(_explained(broken[0]))
        self.stdout.write(f"The books balance: {len(findings)} checks.")


def _state(finding: Finding) -> str:
    return "BROKEN" if finding.count else "ok"


def _explained(finding: Finding) -> str:
    rows = "\n".join(
        "  " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in finding.rows
    )
    return f"Broken: {finding.check.name}, by {finding.count} rows. The first:\n{rows}"
