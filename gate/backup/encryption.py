"""An encrypted file that is read as a stream and cannot be cut short unnoticed.

After a header with a salt, chunks of 64 kB, each sealed by AES-256-GCM under a key that scrypt
makes of the passphrase and the salt. The nonce is the number of the chunk and a flag for the last
one, so chunks cannot be changed, reordered, left out or cut off at the end.
"""

import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gate.refusals import BackupUnreadable

_MAGIC = b"butler backup 1\n"
_SALT_BYTES = 16
_CHUNK = 64 * 1024
_TAG_BYTES = 16
# 64 MB of memory for each passphrase that is tried.
_SCRYPT = {"length": 32, "n": 2**16, "r": 8, "p": 1}


def encrypt(parts: Iterable[bytes], target: BinaryIO, *, passphrase: bytes) -> None:
    """Write what `parts` are together to `target`, encrypted."""
    header = _MAGIC + os.urandom(_SALT_BYTES)
    cipher = _cipher(passphrase, header)
    target.write(header)
    number, waiting = 0, b""
    for part in parts:
        waiting += part
        # The last chunk stays until it is known to be the last one.
        while len(waiting) > _CHUNK:
            target.write(cipher.encrypt(_nonce(number, False), waiting[:_CHUNK], header))
            number, waiting = number + 1, waiting[_CHUNK:]
    target.write(cipher.encrypt(_nonce(number, True), waiting, header))


def decrypt(source: BinaryIO, *, passphrase: bytes) -> Iterator[bytes]:
    """The parts of an encrypted file. Only after the last one it is known to be whole.

    Refusals: BackupUnreadable.
    """
    header = source.read(len(_MAGIC) + _SALT_BYTES)
    if not header.startswith(_MAGIC):
        raise BackupUnreadable("The file is not a backup of Butler.")
    cipher = _cipher(passphrase, header)
    number, sealed = 0, source.read(_CHUNK + _TAG_BYTES)
    while sealed:
        following = source.read(_CHUNK + _TAG_BYTES)
        try:
            yield cipher.decrypt(_nonce(number, not following), sealed, header)
        except InvalidTag:
            raise BackupUnreadable(
                "The passphrase is wrong, or the backup was changed or cut off."
            ) from None
        number, sealed = number + 1, following
    if not number:
        raise BackupUnreadable("The backup was cut off.")


def _cipher(passphrase: bytes, header: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=header[-_SALT_BYTES:], **_SCRYPT).derive(passphrase))


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
