"""Verify the seals: none is missing or changed, all are signed, and the anchors are among them."""

from collections.abc import Callable, Iterable
from itertools import pairwise

from common import formatting
from security import vault
from security.audit_chain import checkpoint, keys, merkle
from security.audit_chain.checkpoint import Checkpoint, SignedCheckpoint
from security.audit_chain.models import ChainKey, ChainTip, Seal


class SealsVerifier:
    """Takes the seals in order and builds the tree of their leaves again."""

    def __init__(
        self, report: Callable[[str], None], anchors: Iterable[SignedCheckpoint] = ()
    ) -> None:
        self._report = report
        self._keys = {key.key_id: key for key in ChainKey.objects.order_by("created_at")}
        self._public_keys = self._proven_keys()
        self._tree = merkle.Tree()
        self._number = 0
        self._intact = True
        self._anchors = {
            anchor.checkpoint.size: anchor.checkpoint
            for anchor in anchors
            if self._is_trusted(anchor)
        }

    def check(self, seal: Seal) -> None:
        """The next seal. After the first wrong one the roots of all others would be wrong, too."""
        for leaf in merkle.split(bytes(seal.leaves)):
            self._tree.append(leaf)
        if self._intact and (reason := self._wrong(seal)):
            self._intact = False
            self._report(reason)
        self._number = seal.number
        anchor = self._anchors.pop(self._tree.size, None)
        if anchor and anchor.root != self._tree.root():
            self._report(
                f"The rows up to {anchor.size} are not those of the checkpoint of "
                f"{anchor.signed_at}: the chain was written again."
            )

    def check_end(self) -> None:
        """After the last seal: none was cut off, as far as the tip and the anchors know."""
        tip = ChainTip.objects.first()
        if self._intact and tip and tip.size > self._tree.size:
            self._report(
                f"The last seals are missing: they go up to row {tip.size}, and those that are "
                f"there end with row {self._tree.size}."
            )
        for anchor in self._anchors.values():
            self._report(self._absent(anchor))

    def _wrong(self, seal: Seal) -> str | None:
        if seal.number != self._number + 1:
            return f"Seal {self._number + 1} is missing."
        for first, second in pairwise(seal.rows):
            if first > second:
                return f"{_name(seal)} was reordered: {seal.source} {second} is out of its place."
        if len(seal.leaves) != len(seal.rows) * merkle.HASH_BYTES or seal.size != self._tree.size:
            return f"{_name(seal)} was changed: it does not have all rows, or has more."
        if bytes(seal.root) != self._tree.root():
            return f"{_name(seal)} was changed: its leaves do not have its root."
        return self._wrong_signature(seal)

    def _wrong_signature(self, seal: Seal) -> str | None:
        public = self._public_keys.get(seal.key_id)
        if public is None:
            return f"{_name(seal)} is signed with {seal.key_id}, which is no key of the vault."
        head = seal.head(self._keys[seal.key_id].name)
        if checkpoint.is_signed(head, bytes(seal.signature), public_key=public):
            return None
        return f"{_name(seal)} was changed: its signature is broken."

    def _is_trusted(self, anchor: SignedCheckpoint) -> bool:
        head, public = anchor.checkpoint, self._public_keys.get(anchor.key_id)
        if public is None or head.origin != self._keys[anchor.key_id].name:
            self._report(
                f"The checkpoint of {head.signed_at} is of {head.origin}, and this chain "
                f"does not have its key {anchor.key_id}: the chain was replaced, or the "
                "checkpoint belongs to another one."
            )
            return False
        if not checkpoint.is_signed(head, anchor.signature, public_key=public):
            self._report(f"The checkpoint of {head.signed_at} has a broken signature.")
            return False
        return True

    def _absent(self, anchor: Checkpoint) -> str:
        if anchor.size > self._tree.size:
            rows = formatting.count(self._tree.size, "row")
            return (
                f"The chain was truncated: it has {rows}, and the checkpoint of "
                f"{anchor.signed_at} has {anchor.size:,}."
            )
        return (
            f"The chain was written again: no seal ends with row {anchor.size}, as the checkpoint "
            f"of {anchor.signed_at} does."
        )

    def _proven_keys(self) -> dict[str, bytes]:
        """The public keys whose secrets the vault can read, by id: others are forged."""
        proven = {}
        for key in self._keys.values():
            try:
                public = keys.public_key(key)
            except vault.CannotUnseal as refusal:
                self._report(f"The key {key.key_id} of the chain is not proven: {refusal.detail}")
                continue
            if key.key_id != checkpoint.key_id(key.name, public):
                self._report(f"The name of the key {key.key_id} of the chain was changed.")
            if bytes(key.public_key) != public:
                self._report(f"The public half of the key {key.key_id} of the chain was changed.")
            proven[key.key_id] = public
        return proven


def _name(seal: Seal) -> str:
    first = seal.size - len(seal.rows) + 1
    return f"Seal {seal.number} ({seal.source}, rows {first} to {seal.size} of the chain)"
