"""`manage.py check_books`."""

from common.row_checks import CheckCommand, Finding
from keys.books.queries.books_check import books_check


class Command(CheckCommand):
    """Check every invariant of the books against the rows."""

    help = (
        "Check every invariant of the books against the rows. The exit code is 1 if one is broken; "
        "the output then names the first one and its first rows. The command changes nothing."
    )
    balance = "The books balance"

    def findings(self) -> list[Finding]:
        """The findings of the books check."""
        return books_check()
