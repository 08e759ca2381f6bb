"""The sealing keys and the pepper as values; `security.keyring_sources` reads them."""

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
PEPPER_CHARACTERS_MIN = 32
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")


class KeyringUnusable(Exception):
    """The sealing keys cannot be used; the message has the reason and never a key."""


@dataclass(frozen=True)
class SealingKey:
    """One AES-256 key. Since `retired_at` no row needs it, but backups may."""

    id: str
    secret: bytes = field(repr=False)
    retired_at: datetime | None = None

    def __post_init__(self) -> None:
        if not _KEY_ID.fullmatch(self.id):
            raise KeyringUnusable("the id of a sealing key needs 1 to 32 of A-Z a-z 0-9 . _ -")
        if len(self.secret) != KEY_BYTES:
            raise KeyringUnusable(f"sealing key {self.id} is not {KEY_BYTES} bytes long")

    @classmethod
    def generate(cls) -> "SealingKey":
        """A new random key with a new id."""
        return cls(f"k{secrets.token_hex(4)}", secrets.token_bytes(KEY_BYTES))


@dataclass(frozen=True)
class Keyring:
    """The keys, newest first (the first seals), and the pepper of the tokens.

    `rekey_open`: re-sealing all rows with the first key has begun and is not finished.
    """

    keys: tuple[SealingKey, ...]
    pepper: str = field(repr=False)
    rekey_open: bool = False
    _ciphers: dict[str, AESGCM] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_pepper(self.pepper)
        if not self.keys:
            raise KeyringUnusable("the sealing key is missing")
        ciphers = {key.id: AESGCM(key.secret) for key in self.keys}
        if len(ciphers) != len(self.keys):
            raise KeyringUnusable("two sealing keys have the same id")
        object.__setattr__(self, "_ciphers", ciphers)

    @classmethod
    def generate(cls) -> "Keyring":
        """One new key and a new pepper."""
        return cls((SealingKey.generate(),), secrets.token_urlsafe(KEY_BYTES))

    @property
    def sealing_id(self) -> str:
        """Id of the key that seals."""
        return self.keys[0].id

    @property
    def sealing_cipher(self) -> AESGCM:
        """The cipher of the key that seals."""
        return self._ciphers[self.sealing_id]

    def cipher(self, key_id: str) -> AESGCM | None:
        """The cipher of that key, or None when the keyring does not have it."""
        return self._ciphers.get(key_id)

    def open_rekey(self) -> "Keyring":
        """The keyring with a new sealing key in front; unchanged if a rekey is open already."""
        if self.rekey_open:
            return self
        return replace(self, keys=(SealingKey.generate(), *self.keys), rekey_open=True)

    def close_rekey(self, *, in_use: Iterable[str], now: datetime) -> "Keyring":
        """The keyring after a rekey: keys that no row needs are retired at `now`."""
        needed = {self.sealing_id, *in_use}
        keys = (
            replace(key, retired_at=None if key.id in needed else key.retired_at or now)
            for key in self.keys
        )
        return replace(self, keys=tuple(keys), rekey_open=False)

    def prune(self, *, in_use: Iterable[str], retired_before: datetime) -> "Keyring":
        """The keyring without unused keys that were retired before `retired_before`."""
        needed = set(in_use)
        return replace(
            self,
            keys=tuple(
                key
                for key in self.keys
                if key.id in needed or not key.retired_at or key.retired_at >= retired_before
            ),
        )


def require_pepper(pepper: str) -> None:
    """Raise KeyringUnusable when the pepper could be guessed."""
    if len(pepper) < PEPPER_CHARACTERS_MIN:
        raise KeyringUnusable(f"the pepper has fewer than {PEPPER_CHARACTERS_MIN} characters")


def decode_base64(text: str, *, what: str) -> bytes:
    """The bytes of base64 `text`; raises KeyringUnusable naming `what` without showing it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise KeyringUnusable(f"{what} is not base64") from None
