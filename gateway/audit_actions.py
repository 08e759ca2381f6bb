"""What `gateway` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on what the gateway keeps of calls."""

    RETENTION_SET = "retention.set"
    EXCHANGE_LOOK = "exchange.look"
