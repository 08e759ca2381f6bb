"""Reads of receipts of purchases."""

from treasury.models import Purchase, PurchaseReceipt
from treasury.refusals import PurchaseNotFound, ReceiptNotFound


def receipts_of(purchase_id: int) -> list[PurchaseReceipt]:
    """The receipts of a purchase without their content. Refusals: PurchaseNotFound."""
    if not Purchase.objects.filter(pk=purchase_id).exists():
        raise PurchaseNotFound(purchase_id=purchase_id)
    return list(PurchaseReceipt.objects.filter(purchase=purchase_id).defer("content"))


def receipt(receipt_id: int) -> PurchaseReceipt:
    """The receipt with its content. Refusals: ReceiptNotFound."""
    found = PurchaseReceipt.objects.filter(pk=receipt_id).first()
    if found is None:
        raise ReceiptNotFound(receipt_id=receipt_id)
    return found
