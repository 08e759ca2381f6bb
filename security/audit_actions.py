"""What `security` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the vault."""

    VAULT_ROTATE = "vault.rotate"
    VAULT_PRUNE = "vault.prune"
