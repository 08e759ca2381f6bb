"""What `security` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on the vault."""

    VAULT_REKEY = "vault.rekey"
    VAULT_PRUNE = "vault.prune"
