"""What `gateway` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the prompts and answers that the gateway keeps."""

    RETENTION_SET = "retention.set"
    EXCHANGE_LOOK = "exchange.look"
