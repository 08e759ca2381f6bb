"""Where the keyring comes from: the environment, or a file Butler keeps itself.

`settings.VAULT_KEYS` (managed outside Butler) when it is not empty, with the pepper in
`settings.TOKEN_PEPPER`; otherwise the file `settings.VAULT_KEY_FILE` (`security.keyring_file`),
which Butler creates, reads and rekeys. In both, the first key seals and all keys unseal.
"""

import os
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from security import keyring_file
from security.keyring import (
    PEPPER_CHARACTERS_MIN,
    Keyring,
    KeyringUnusable,
    SealingKey,
    decode_base64,
    require_pepper,
)


def current() -> Keyring:
    """The current keyring. The file is created on first use and read again when it changed.

    Raises KeyringUnusable with a message for the operator.
    """
    if settings.VAULT_KEYS:
        return _from_settings(tuple(settings.VAULT_KEYS), settings.TOKEN_PEPPER)
    return keyring_file.read(path())


def token_pepper() -> str:
    """The pepper of the tokens: of the settings, else of the key file. Raises KeyringUnusable."""
    if not settings.TOKEN_PEPPER:
        return current().pepper
    try:
        require_pepper(settings.TOKEN_PEPPER)
    except KeyringUnusable as unusable:
        raise KeyringUnusable(f"BUTLER_TOKEN_PEPPER is not usable: {unusable}.") from None
    return settings.TOKEN_PEPPER


def is_file() -> bool:
    """Whether Butler manages the keys itself, in a file."""
    return not settings.VAULT_KEYS


def path() -> Path:
    """The path of the key file."""
    return Path(settings.VAULT_KEY_FILE)


def problem() -> str | None:
    """A message about what is wrong with the keys, or None. Creates no file."""
    try:
        if not is_file() or os.path.lexists(path()):
            current()
        if settings.TOKEN_PEPPER:
            token_pepper()
    except KeyringUnusable as unusable:
        return str(unusable)
    return None


@lru_cache(maxsize=4)
def _from_settings(pairs: tuple[str, ...], pepper: str) -> Keyring:
    try:
        keys = tuple(_key(number, pair) for number, pair in enumerate(pairs, start=1))
        return Keyring(keys, pepper)
    except KeyringUnusable as unusable:
        raise KeyringUnusable(
            f"The sealing keys of the environment are not usable: {unusable}. Write "
            "BUTLER_VAULT_KEYS as id:base64-of-32-bytes, separated by commas, the sealing key "
            f"first, and {PEPPER_CHARACTERS_MIN} or more random characters as BUTLER_TOKEN_PEPPER."
        ) from None


def _key(number: int, pair: str) -> SealingKey:
    key_id, colon, secret = pair.partition(":")
    if not colon:
        raise KeyringUnusable(f"entry {number} of BUTLER_VAULT_KEYS has no colon")
    return SealingKey(key_id, decode_base64(secret, what=f"the key of entry {number}"))
