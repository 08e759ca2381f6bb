"""The keys that sign seals. Only the vault can read their secrets."""

import base64
import secrets
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from security.audit_chain import checkpoint
from security.audit_chain.models import ChainKey
from security.sealed_rows import seal_into, unseal_from


def signing_key(*, now: datetime) -> ChainKey:
    """The key that signs, which is made with the first seal. Needs the lock of the sealer."""
    return ChainKey.objects.order_by("-created_at").first() or _create(now)


@sensitive_variables()
def private_key(key: ChainKey) -> Ed25519PrivateKey:
    """The private half. Refusal: CannotUnseal. Raises KeyringUnusable."""
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(unseal_from(key, "secret")))


def public_key(key: ChainKey) -> bytes:
    """The public half of the secret in the vault: tables can be forged. Refusal: CannotUnseal."""
    return private_key(key).public_key().public_bytes_raw()


@sensitive_variables("secret")
def _create(now: datetime) -> ChainKey:
    secret = Ed25519PrivateKey.generate()
    public = secret.public_key().public_bytes_raw()
    # The random part tells the chains of a host apart, such as those before and after a new start.
    name = f"{urlsplit(settings.PUBLIC_URL).netloc}/audit/{secrets.token_hex(4)}"
    key = ChainKey(
        key_id=checkpoint.key_id(name, public), name=name, public_key=public, created_at=now
    )
    seal_into(key, "secret", base64.b64encode(secret.private_bytes_raw()).decode())
    key.save(force_insert=True)
    return key
