"""Seal a secret into a row, unseal it, re-seal all secrets."""

from security.sealed_rows import seal_into, unseal_from
from security.services.rekey_vault import Progress, RekeyResult, prune_vault, rekey_vault

__all__ = ["Progress", "RekeyResult", "prune_vault", "rekey_vault", "seal_into", "unseal_from"]
