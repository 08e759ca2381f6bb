"""What `interchange` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the state as a whole."""

    STATE_IMPORT = "state.import"
