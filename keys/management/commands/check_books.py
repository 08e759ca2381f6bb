"""`manage.py check_books`."""

from common.row_checks import CheckCommand, Finding
from keys.books.queries.books_check import books_check


class Command(CheckCommand):
    """Count every invariant of the books again from the rows."""

    help = (
        "Count every invariant of the books again from the rows; exit code 1 when one is broken, "
        "with the name of the first and its first rows. Changes nothing."
    )
    balance = "The books balance"

    def findings(self) -> list[Finding]:
        """Of the books."""
        return books_check()
