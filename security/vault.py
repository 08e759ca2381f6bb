"""The vault: text in, sealed bytes out, bound to the place that stores them. Open to every app.

A sealed value is `1 | length of key id | key id | 96-bit random nonce | AES-256-GCM ciphertext`.
Everything before the nonce, and the context, are authenticated: bytes that are changed, or moved
to another row or column, cannot be unsealed.

Contents too large to be re-sealed with each rekey of the vault have a key of their own, which
is itself sealed into their row: `new_content_key`, `seal_content`, `unseal_content`.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.views.decorators.debug import sensitive_variables

from common.refusal import Refusal
from security import keyring_sources

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16


class CannotUnseal(Refusal):
    """A sealed value cannot be read; the message has the reason and never the value."""


@sensitive_variables()
def seal(plaintext: str, *, context: str) -> bytes:
    """Seal `plaintext` for the place named by `context` (such as `keys.apikey.secret:nvidia-1`).

    Raises KeyringUnusable without a usable sealing key.
    """
    keyring = keyring_sources.current()
    key_id = keyring.sealing_id
    header = bytes((_VERSION, len(key_id))) + key_id.encode()
    nonce = os.urandom(_NONCE_BYTES)
    associated = header + context.encode()
    return header + nonce + keyring.sealing_cipher.encrypt(nonce, plaintext.encode(), associated)


@sensitive_variables()
def unseal(sealed: bytes, *, context: str) -> str:
    """The text sealed for `context`. Refusal: CannotUnseal. Raises KeyringUnusable."""
    sealed = bytes(sealed)
    key_id = key_id_of(sealed)
    start = 2 + len(key_id)
    header, nonce = sealed[:start], sealed[start : start + _NONCE_BYTES]
    cipher = keyring_sources.current().cipher(key_id)
    if cipher is None:
        raise CannotUnseal(f"{context}: the sealing key {key_id} is not in the keyring.")
    try:
        associated = header + context.encode()
        return cipher.decrypt(nonce, sealed[start + _NONCE_BYTES :], associated).decode()
    except InvalidTag:
        raise CannotUnseal(
            f"{context}: the sealed value was changed, or belongs to another row."
        ) from None


def new_content_key() -> str:
    """A key for the contents of one row, as text that `seal_into` takes."""
    return base64.b64encode(AESGCM.generate_key(256)).decode()


@sensitive_variables()
def seal_content(content: bytes, *, key: str, context: str) -> bytes:
    """Seal `content` with its row's own `key`, for the place named by `context`."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _content_cipher(key).encrypt(nonce, content, context.encode())


@sensitive_variables()
def unseal_content(sealed: bytes, *, key: str, context: str) -> bytes:
    """The content sealed with `key` for `context`. Refusal: CannotUnseal."""
    sealed = bytes(sealed)
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return _content_cipher(key).decrypt(nonce, ciphertext, context.encode())
    except (InvalidTag, ValueError):
        raise CannotUnseal(
            f"{context}: the sealed content was changed, or belongs to another row."
        ) from None


def key_id_of(sealed: bytes) -> str:
    """Id of the key that sealed the value. Refusals: CannotUnseal for other bytes."""
    if len(sealed) < 2 or sealed[0] != _VERSION:
        raise CannotUnseal("This is not a sealed value of a known version.")
    key_id = sealed[2 : 2 + sealed[1]]
    if len(sealed) < 2 + sealed[1] + _NONCE_BYTES + _TAG_BYTES or not _is_name(key_id):
        raise CannotUnseal("The sealed value is damaged: its header does not fit.")
    return key_id.decode("ascii")


def _is_name(key_id: bytes) -> bool:
    return bool(key_id) and key_id.isascii() and key_id.decode("ascii").isprintable()


@sensitive_variables()
def _content_cipher(key: str) -> AESGCM:
    return AESGCM(base64.b64decode(key))
