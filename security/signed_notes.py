"""Texts signed with the key of the audit chain, in the form of C2SP signed-note.

    <the text, which ends with a line break>
    <blank line>
    — butler.example.com/audit/3f9a1c2e w6Qd…=

The last line is that of a checkpoint (`security.audit_chain.checkpoint`), so the same tools check
it with the same public key (`manage.py audit key`). What is signed says in its first line what it
is: no text is a checkpoint, and no checkpoint passes for a text of another kind.
"""

import base64
import binascii
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from security.audit_chain import keys
from security.audit_chain.models import ChainKey
from security.audit_chain.seal import LOCK
from security.keyring import KeyringUnusable
from security.vault import CannotUnseal

_SIGNATURE_LINE = "\N{EM DASH} "
_ID_BYTES = 4


class NotSigned(ValueError):
    """A text is not as it was signed, or was never signed; the message says why."""


class CannotVerify(Exception):
    """The vault does not give the key; the message has the reason."""


def sign(text: str, *, now: datetime) -> str:
    """The text with its signature. ValueError for a text that does not end with a line break.

    Refusal: CannotUnseal. Raises KeyringUnusable.
    """
    if not text.endswith("\n"):
        raise ValueError("a text that is signed ends with a line break")
    key = ChainKey.objects.order_by("-created_at").first() or _first_key(now)
    signature = keys.private_key(key).sign(text.encode())
    signed = base64.b64encode(bytes.fromhex(key.key_id) + signature).decode()
    return f"{text}\n{_SIGNATURE_LINE}{key.name} {signed}\n"


def verify(note: str) -> tuple[str, str]:
    """The text of a note and the name of the key that signed it. Raises NotSigned.

    The key is that of the vault, since tables can be forged. Raises CannotVerify.
    """
    text, separator, last = note.rpartition(f"\n\n{_SIGNATURE_LINE}")
    name, _, encoded = last.removesuffix("\n").rpartition(" ")
    if not separator or last.count("\n") != 1:
        raise NotSigned("The file does not end with a signature.")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NotSigned("The signature cannot be read.") from None
    key = ChainKey.objects.filter(key_id=raw[:_ID_BYTES].hex(), name=name).first()
    if key is None:
        raise NotSigned(f"Butler has no key {name} with this id.")
    signed = f"{text}\n"
    try:
        public = Ed25519PublicKey.from_public_bytes(_public_key(key))
        public.verify(raw[_ID_BYTES:], signed.encode())
    except InvalidSignature:
        raise NotSigned("The file is not as it was signed.") from None
    return signed, name


def _public_key(key: ChainKey) -> bytes:
    try:
        return keys.public_key(key)
    except (KeyringUnusable, CannotUnseal) as failure:
        raise CannotVerify(str(failure)) from failure


@transaction.atomic
def _first_key(now: datetime) -> ChainKey:
    """The key, which is made here if nothing was sealed yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    return keys.signing_key(now=now)
