"""Tokens that agents send to Butler: random ones stored as keyed hashes, and derived ones.

`bt_k3v9q0zd_<43 characters>` is random; its row keeps `bt_k3v9q0zd` to find it and the keyed hash
to compare. `bs_<public id>_<43 characters>` is computed from the public id and not stored.
Both need the pepper, which a rekey of the vault leaves alone. Open to every app; every API
call comes through here, so the derived keys are kept in memory.
"""

import base64
import hmac
import re
import secrets
import string
from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from security import keyring_sources

_PUBLIC_ALPHABET = string.ascii_lowercase + string.digits
_PUBLIC_CHARACTERS = 8
_SECRET_CHARACTERS = 43  # 256 bits in base64url
_RANDOM_TOKEN = re.compile(r"([a-z]+_[a-z0-9]{8})_[A-Za-z0-9_-]{43}")
_PUBLIC_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class _Peppers(NamedTuple):
    hashing: bytes
    deriving: bytes


class NewToken(NamedTuple):
    """A new random token. Show `token` once; store `lookup_prefix` and `digest` (32 bytes)."""

    token: str
    lookup_prefix: str
    digest: bytes


@sensitive_variables()
def new_token(prefix: str) -> NewToken:
    """A fresh random token of 256 bits that begins with `prefix` (lower-case letters)."""
    public_id = "".join(secrets.choice(_PUBLIC_ALPHABET) for _ in range(_PUBLIC_CHARACTERS))
    lookup = f"{prefix}_{public_id}"
    token = f"{lookup}_{secrets.token_urlsafe(32)}"
    return NewToken(token, lookup, keyed_hash(token))


def lookup_prefix(token: str) -> str | None:
    """The prefix that identifies the row of a random token; None if `token` has another format."""
    match = _RANDOM_TOKEN.fullmatch(token)
    return match and match[1]


@sensitive_variables()
def keyed_hash(token: str) -> bytes:
    """HMAC-SHA256 of the token, 32 bytes: a guess cannot be tested without the pepper."""
    return hmac.digest(_current().hashing, token.encode("utf-8", "surrogatepass"), "sha256")


@sensitive_variables()
def matches(token: str, digest: bytes) -> bool:
    """Whether `digest` is the token's keyed hash, in constant time."""
    return hmac.compare_digest(keyed_hash(token), bytes(digest))


@sensitive_variables()
def derive_token(prefix: str, public_id: str) -> str:
    """The token of `public_id` (1 to 100 of A-Z a-z 0-9 . _ -): the same each time."""
    if not _PUBLIC_ID.fullmatch(public_id):
        raise ValueError("Use 1 to 100 of the characters A-Z a-z 0-9 . _ - as the public id.")
    body = f"{prefix}_{public_id}"
    return f"{body}_{_mac(body)}"


@sensitive_variables()
def verify_derived(token: str, prefix: str) -> str | None:
    """The public id of a derived token, or None if the token is not valid; in constant time."""
    body, mac = token[: -_SECRET_CHARACTERS - 1], token[-_SECRET_CHARACTERS - 1 :]
    if not token.isascii() or not body.startswith(f"{prefix}_"):
        return None
    if not hmac.compare_digest(mac, f"_{_mac(body)}"):
        return None
    return body[len(prefix) + 1 :]


def _mac(body: str) -> str:
    digest = hmac.digest(_current().deriving, body.encode(), "sha256")
    return base64.urlsafe_b64encode(digest)[:_SECRET_CHARACTERS].decode()


def _current() -> _Peppers:
    return _peppers(settings.TOKEN_PEPPER, str(settings.VAULT_KEY_FILE))


@lru_cache(maxsize=4)
def _peppers(from_settings: str, key_file: str) -> _Peppers:
    """Kept for the life of the process: the pepper never changes, and the arguments name it."""
    pepper = keyring_sources.token_pepper().encode()
    return _Peppers(_derive(pepper, b"butler: hash"), _derive(pepper, b"butler: derive"))


def _derive(pepper: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(pepper)
