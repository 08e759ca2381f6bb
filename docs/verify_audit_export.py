"""Verify an export of Butler's audit chain. Needs Python and `cryptography`, and no Butler.

    python manage.py audit export > audit.jsonl     # where Butler runs
    python manage.py audit key                      # keep it apart from the exports
    python verify_audit_export.py audit.jsonl KEY [CHECKPOINTS]

KEY is the public key as `audit key` prints it. CHECKPOINTS is a file of checkpoints that was kept
outside: each must be a head of the same chain. The exit code is 1 if the export is not whole.

Each line of the export is a row as it was hashed. `{"sha256":…}` stands for a row that was sealed
as an estimate and sealed again when it was corrected: of its first state only the hash is left. An
empty line and the signed checkpoint follow. The tree is that of RFC 6962; checkpoints have the form
of C2SP tlog-checkpoint.
"""

import base64
import json
import sys
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Tree:
    """A Merkle tree that grows at its right end; only the roots of complete subtrees are kept."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf."""
        size = self.size
        while size & 1:
            leaf = sha256(b"\x01" + self.peaks.pop() + leaf).digest()
            size >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = sha256(b"\x01" + peak + root).digest()
        return root


def signed_head(lines: list[str], key: str) -> tuple[int, bytes]:
    """Size and root of the checkpoint in five lines: origin, size, root, time, signature."""
    name, key_id, public = key.split("+", 2)
    origin, size, root, at, signature = lines
    signer, _, signed = signature.removeprefix("\N{EM DASH} ").rpartition(" ")
    raw = base64.b64decode(signed)
    if (origin, signer, raw[:4].hex()) != (name, name, key_id):
        sys.exit(f"The checkpoint of {at} is signed by {signer}, not by {name}.")
    text = f"{origin}\n{size}\n{root}\n{at}\n"
    try:
        verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(public)[1:])
        verifier.verify(raw[4:], text.encode())
    except InvalidSignature:
        sys.exit(f"The checkpoint of {at} has a broken signature.")
    return int(size), base64.b64decode(root)


def kept_heads(path: str, key: str) -> dict[int, bytes]:
    """The checkpoints of a file, by size."""
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]
    return dict(signed_head(lines[at : at + 5], key) for at in range(0, len(lines), 5))


def leaf_hash(line: str) -> bytes:
    """The hash of a row; of a corrected estimate, the hash that is left."""
    if line.startswith('{"sha256":'):
        return bytes.fromhex(json.loads(line)["sha256"])
    return sha256(b"\x00" + line.encode()).digest()


def main(export: str, key: str, checkpoints: str = "") -> None:
    """Compare the rows with the signed head, and the heads that were kept with the rows."""
    kept = kept_heads(checkpoints, key) if checkpoints else {}
    tree, hashes_only = Tree(), 0
    with open(export, encoding="utf-8", newline="\n") as file:
        for line in file:
            if line == "\n":
                break
            tree.append(leaf_hash(line.rstrip("\n")))
            hashes_only += line.startswith('{"sha256":')
            if tree.size in kept and kept.pop(tree.size) != tree.root():
                sys.exit(f"The first {tree.size} rows are not those of the checkpoint over them.")
        size, root = signed_head([line.rstrip("\n") for line in file if line.strip()], key)
    if tree.size != size:
        sys.exit(f"The export has {tree.size} rows, and its checkpoint has {size}.")
    if tree.root() != root:
        sys.exit(
            "A row was changed, removed, added or moved: the rows do not have the signed root."
        )
    if kept:
        sys.exit(f"A checkpoint over {max(kept)} rows was kept: this chain was cut or rewritten.")
    print(f"{size} rows are as they were sealed, {hashes_only} of them known by their hash only.")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
