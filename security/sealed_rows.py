"""Seal a secret into a row, and unseal it."""

from django.db import models
from django.views.decorators.debug import sensitive_variables

from security import vault
from security.fields import Sealed, field_context


@sensitive_variables()
def seal_into(instance: models.Model, field_name: str, plaintext: str) -> None:
    """Set the SealedField `field_name` of `instance` to the sealed `plaintext`; the caller saves.

    Raises ValueError when the field named by `bound_to` has no value yet.
    """
    context = field_context(instance, field_name)
    setattr(instance, field_name, Sealed(vault.seal(plaintext, context=context)))


@sensitive_variables()
def unseal_from(instance: models.Model, field_name: str) -> str:
    """The secret in the SealedField `field_name`. Refusal: CannotUnseal (also for no secret)."""
    context = field_context(instance, field_name)
    sealed = getattr(instance, field_name)
    if sealed is None:
        raise vault.CannotUnseal(f"{context}: no secret was stored.")
    return vault.unseal(bytes(sealed), context=context)
