"""The books balance: what every test that spends ends with."""

from keys.books.queries.books_check import books_check


def assert_books_balance():
    """Every invariant holds; the message names the first that does not."""
    for finding in books_check():
        assert finding.count == 0, f"{finding.check.name}: {finding.check.says}: {finding.rows}"
