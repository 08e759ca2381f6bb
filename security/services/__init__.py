"""What Security Gate does to rows: seal a secret into one, take it out, re-seal all of them."""

from security.sealed_rows import seal_into, unseal_from
from security.services.rekey_vault import Progress, RekeyResult, prune_vault, rekey_vault

__all__ = ["Progress", "RekeyResult", "prune_vault", "rekey_vault", "seal_into", "unseal_from"]
