"""What Security Gate does to rows: seal a secret into one, take it out, re-seal all of them."""

from security.sealed_rows import seal_into, unseal_from
from security.services.rotate_vault import Progress, Rotation, prune_vault, rotate_vault

__all__ = ["Progress", "Rotation", "prune_vault", "rotate_vault", "seal_into", "unseal_from"]
