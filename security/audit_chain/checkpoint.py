"""Signed heads of the tree in the form of C2SP tlog-checkpoint, which other tools can check.

    butler.example.com/audit/3f9a1c2e            origin
    1042                                         number of leaves
    tSH9…=                                       root
    2026-11-27T18:20:53.123456Z charge 9f…       when and over what (`seal_line`)
    <blank line>
    — butler.example.com/audit/3f9a1c2e w6Qd…=   signature

The fourth line is an extension, which other tools skip. The last line has the name of the key and,
in base64, its id (4 bytes) and the Ed25519 signature of everything before the blank line.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_ED25519 = b"\x01"
_SIGNATURE_LINE = "\N{EM DASH} "


@dataclass(frozen=True)
class Checkpoint:
    """What is signed: that the tree of `origin` had `size` leaves and this `root`.

    `seal` is the line about the seal that ends the tree (`seal_line`).
    """

    origin: str
    size: int
    root: bytes
    seal: str

    @property
    def text(self) -> str:
        """The lines that are signed."""
        lines = (self.origin, str(self.size), _base64(self.root), self.seal)
        return "".join(f"{line}\n" for line in lines)

    @property
    def signed_at(self) -> str:
        """The time at which it was signed, as it is written."""
        return self.seal.partition(" ")[0]

    def note(self, *, key_id: str, signature: bytes) -> str:
        """The checkpoint with its signature, as it is kept outside."""
        signed = _base64(bytes.fromhex(key_id) + signature)
        return f"{self.text}\n{_SIGNATURE_LINE}{self.origin} {signed}\n"


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint that was read, with the id of the key that is said to have signed it."""

    checkpoint: Checkpoint
    key_id: str
    signature: bytes


class Malformed(ValueError):
    """A text is not a checkpoint; the message says in which line."""


def seal_line(*, sealed_at: datetime, source: str, rows: list[int]) -> str:
    """What the root says nothing of: the time of a seal, the source and the ids of its rows."""
    at = sealed_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{at} {source} {sha256(','.join(map(str, rows)).encode()).hexdigest()}"


def key_id(name: str, public_key: bytes) -> str:
    """The id of a key in hex, as C2SP signed-note computes it."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4].hex()


def verifier_key(name: str, public_key: bytes) -> str:
    """The public key in the form that tools for signed notes read."""
    return f"{name}+{key_id(name, public_key)}+{_base64(_ED25519 + public_key)}"


def is_signed(checkpoint: Checkpoint, signature: bytes, *, public_key: bytes) -> bool:
    """Whether the signature is one of this key for this checkpoint."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, checkpoint.text.encode())
    except InvalidSignature:
        return False
    return True


def parse(text: str) -> Iterator[SignedCheckpoint]:
    """The checkpoints of a file to which one was appended after the other. Raises Malformed."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line]
    for at in range(0, len(lines), 5):
        five = lines[at : at + 5]
        try:
            yield _parse([line for _, line in five])
        except (ValueError, binascii.Error):
            raise Malformed(f"There is no checkpoint in line {five[0][0]}.") from None


def _parse(lines: list[str]) -> SignedCheckpoint:
    origin, size, root, seal, last = lines
    name, _, signed = last.removeprefix(_SIGNATURE_LINE).rpartition(" ")
    raw = base64.b64decode(signed, validate=True)
    if name != origin or not last.startswith(_SIGNATURE_LINE):
        raise ValueError(last)
    checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True), seal)
    return SignedCheckpoint(checkpoint, raw[:4].hex(), raw[4:])


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
