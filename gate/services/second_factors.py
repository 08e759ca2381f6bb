"""Seal and unseal the seeds of second factors."""

import base64

from django.views.decorators.debug import sensitive_variables

from gate.models import SecondFactorKey
from security import vault
from security.services import seal_into, unseal_from

_ROW = 1
_CONTEXT = "second factor"


@sensitive_variables()
def seal_seed(seed: str) -> str:
    """The sealed seed as text; the first call makes the key."""
    sealed = vault.seal_content(seed.encode(), key=_key(), context=_CONTEXT)
    return base64.b64encode(sealed).decode()


@sensitive_variables()
def unseal_seed(sealed: str) -> str:
    """The seed. Refusal: CannotUnseal."""
    content = base64.b64decode(sealed)
    return vault.unseal_content(content, key=_key(), context=_CONTEXT).decode()


@sensitive_variables()
def _key() -> str:
    if not SecondFactorKey.objects.filter(pk=_ROW).exists():
        row = SecondFactorKey(pk=_ROW)
        seal_into(row, "key", vault.new_content_key())
        # Another process may be faster: its key stays.
        SecondFactorKey.objects.bulk_create([row], ignore_conflicts=True)
    return unseal_from(SecondFactorKey.objects.get(pk=_ROW), "key")
