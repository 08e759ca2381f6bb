"""`manage.py check_ledger`."""

from common.row_checks import CheckCommand, Finding
from treasury.queries import ledger_check


class Command(CheckCommand):
    """Check every invariant of the ledger against the transfers."""

    help = (
        "Check every invariant of the ledger against its transfers. The exit code is 1 if one is "
        "broken; the output then names the first one and its first rows. The command changes "
        "nothing."
    )
    balance = "The ledger balances"

    def findings(self) -> list[Finding]:
        """The findings of the ledger check."""
        return ledger_check()
