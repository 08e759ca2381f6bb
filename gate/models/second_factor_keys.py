"""The key that seals the seeds of second factors."""

from django.db import models

from security.fields import SealedField


class SecondFactorKey(models.Model):
    """The one row with the key for seeds of TOTP and recovery codes, itself sealed by the vault.

    A rekey of the vault re-seals this row, and no seed.
    """

    key = SealedField(bound_to="id")

    def __str__(self) -> str:
        return "the key of second factors"
