"""The Merkle tree of RFC 6962 (SHA-256), of which only the right edge is kept."""

from hashlib import sha256

HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf with this content."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that only grows. `peaks` are the roots of its complete subtrees, the largest first.

    Their sizes are the powers of two that add up to `size`, so 100 million leaves need 12 of them.
    """

    def __init__(self, size: int = 0, peaks: bytes = b"") -> None:
        """The empty tree, or one of which `size` and `peaks` were stored."""
        self.size = size
        self._peaks = split(peaks)

    @property
    def peaks(self) -> bytes:
        """The roots of the complete subtrees, one after the other."""
        return b"".join(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf at the right end."""
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        if not self._peaks:
            return sha256(b"").digest()
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def split(hashes: bytes) -> list[bytes]:
    """Hashes that were stored one after the other."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
