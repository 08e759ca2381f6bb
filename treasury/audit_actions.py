"""What `treasury` records in the audit. Transfers are sealed themselves."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the ledger."""

    ACCOUNT_OPEN = "account.open"
    PERIOD_CLOSE = "period.close"
