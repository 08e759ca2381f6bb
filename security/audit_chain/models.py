"""Tables of the audit chain: the queue of rows to seal, the seals, the key that signs them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from common import row_triggers
from security.audit_chain.checkpoint import Checkpoint, seal_line
from security.audit_chain.merkle import HASH_BYTES
from security.fields import SealedField


class UnsealedRow(models.Model):
    """A committed row that waits to be sealed. Triggers add it, and the sealer takes it away.

    `source` is the slug of a source (`security.audit_chain.sources`).
    """

    source = models.CharField(max_length=30)
    row_id = models.BigIntegerField()
    queued_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.source} {self.row_id}"


class ChainKey(models.Model):
    """A key pair (Ed25519) that signs seals; the newest one signs. The vault seals its secret.

    `name` is the origin of the checkpoints, which begins with the host of the public address.
    """

    key_id = models.CharField(max_length=8, primary_key=True)
    name = models.CharField(max_length=200)
    public_key = models.BinaryField(max_length=32)
    secret = SealedField(bound_to="key_id")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id}"


class Seal(models.Model):
    """Rows of one source that were added to the tree together, and the signed root after them.

    `rows` are their ids in ascending order, and `leaves` their hashes in the same order, one after
    the other. `size` is the number of leaves of the tree so far. `signature` is that of the
    checkpoint (`security.audit_chain.checkpoint`), so every seal can be kept outside as one.
    """

    number = models.BigIntegerField(primary_key=True)
    source = models.CharField(max_length=30)
    rows = ArrayField(models.BigIntegerField())
    leaves = models.BinaryField()
    size = models.BigIntegerField(unique=True)
    root = models.BinaryField(max_length=HASH_BYTES)
    sealed_at = models.DateTimeField()
    key = models.ForeignKey(ChainKey, models.PROTECT, related_name="+", db_index=False)
    signature = models.BinaryField(max_length=64)

    class Meta:
        ordering = ["-number"]
        triggers = [row_triggers.append_only("seal_is_append_only")]

    def __str__(self) -> str:
        return f"seal {self.number}"

    def head(self, origin: str) -> Checkpoint:
        """The head of the tree that the seal has signed."""
        line = seal_line(sealed_at=self.sealed_at, source=self.source, rows=self.rows)
        return Checkpoint(origin, self.size, bytes(self.root), line)


class ChainTip(models.Model):
    """The right edge of the tree, so that the sealer need not read all leaves again. One row.

    It is not trusted: its root must be that of the last seal.
    """

    id = models.SmallIntegerField(primary_key=True)
    size = models.BigIntegerField(default=0)
    peaks = models.BinaryField(default=b"")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="chaintip_is_one_row")]

    def __str__(self) -> str:
        return f"tree of {self.size} leaves"
