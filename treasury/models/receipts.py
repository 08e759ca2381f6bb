"""Receipts of purchases, as files."""

from django.db import models
from django.db.models import F, Func, Q

from common import row_triggers
from treasury.models.purchases import Purchase
from treasury.receipt_files import MEDIA_TYPES, RECEIPT_BYTES_MAX


class PurchaseReceipt(models.Model):
    """A receipt or an invoice of a purchase: the bytes as they came, kept as long as the ledger.

    The same bytes are one receipt of a purchase. `file_name` is what the person called it; it says
    nothing about the content.
    """

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="receipts")
    content = models.BinaryField(help_text="The bytes as they came.")
    digest = models.BinaryField(max_length=32, help_text="The SHA-256 of the bytes.")
    size = models.PositiveIntegerField(help_text="How many bytes there are.")
    media_type = models.CharField(
        max_length=20,
        choices=[(name, name) for name in MEDIA_TYPES],
        help_text="What the bytes are.",
    )
    file_name = models.CharField(max_length=200, help_text="What the person called the file.")
    added_by = models.CharField(max_length=200, help_text="Who added it.")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["purchase", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase", "digest"], name="purchasereceipt_is_kept_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    digest=Func(F("content"), function="sha256", output_field=models.BinaryField())
                ),
                name="purchasereceipt_has_its_digest",
            ),
            models.CheckConstraint(
                condition=Q(
                    size=Func(
                        F("content"), function="octet_length", output_field=models.IntegerField()
                    ),
                    size__gt=0,
                    size__lte=RECEIPT_BYTES_MAX,
                ),
                name="purchasereceipt_is_not_too_large",
            ),
            models.CheckConstraint(
                condition=Q(media_type__in=list(MEDIA_TYPES)),
                name="purchasereceipt_is_a_document",
            ),
        ]
        triggers = [
            row_triggers.append_only("purchasereceipt_is_append_only"),
            row_triggers.not_truncated("purchasereceipt_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"receipt {self.pk} of purchase {self.purchase_id}"

    @property
    def sha256(self) -> str:
        """The digest as people compare it."""
        return bytes(self.digest).hex()

    @property
    def download_name(self) -> str:
        """The name under which it is saved: nothing of it comes from who uploaded it."""
        ending = MEDIA_TYPES[self.media_type]
        return f"purchase-{self.purchase_id}-receipt-{self.pk}.{ending}"
