"""Receipts of purchases: their type is told by their bytes, and they are kept for ever."""

from hashlib import sha256

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from security.models import AuditEntry
from tests.moments import NOON
from tests.treasury.builders import broken
from tests.treasury.purchases import FINN, make_decider, propose
from tests.treasury.receipts import JPEG, PDF, PNG, add_receipt, waiting_purchase
from treasury import services as treasury
from treasury.models import Purchase, PurchaseReceipt
from treasury.receipt_files import RECEIPT_BYTES_MAX, media_type_of
from treasury.refusals import PurchaseNotFound, ReceiptUnreadable, WrongPurchase
from treasury.services import ReceiptFile

WITH_DATABASE = pytest.mark.django_db


@pytest.fixture
def purchase():
    make_decider()
    return waiting_purchase()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (JPEG + b"\n", "image/jpeg"),
        (PDF[:-7], ""),
        (PNG[:-4], ""),
        (JPEG[:-2], ""),
        (b"%PDF-", ""),
        (b"\n" + PDF, ""),
        (b"<html>" + PDF, ""),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", ""),
        (b"GIF89a", ""),
        (b"MZ\x90\x00", ""),
        (PDF + b"x" * 2000, ""),
        (b"", ""),
    ],
)
def test_the_type_is_told_by_the_bytes(content, media_type):
    assert media_type_of(content) == media_type


@WITH_DATABASE
def test_a_receipt_is_kept_once_with_its_digest(purchase):
    receipt, is_new = add_receipt(purchase, name="..\\up/\u202egpj.invoice\n.pdf")
    assert is_new and (receipt.sha256, receipt.size) == (sha256(PDF).hexdigest(), len(PDF))
    assert (receipt.file_name, receipt.media_type) == ("gpj.invoice.pdf", "application/pdf")
    assert receipt.download_name == f"purchase-{purchase.pk}-receipt-{receipt.pk}.pdf"
    assert add_receipt(purchase, name="again.png") == (receipt, False)
    entry = AuditEntry.objects.about(purchase.address).get(action="purchase_receipt.add")
    assert entry.after["sha256"] == receipt.sha256
    assert purchase.steps.filter(note="Receipt gpj.invoice.pdf was added.").count() == 1
    assert broken() == []


@WITH_DATABASE
def test_a_payment_is_confirmed_with_its_receipt_or_not_at_all(purchase):
    file = ReceiptFile(content=b"no receipt", name="receipt.pdf")
    words = {"receipt": "R-1", "actor": FINN, "now": NOON}
    with pytest.raises(ReceiptUnreadable):
        treasury.confirm_purchase(purchase.pk, file=file, **words)
    assert Purchase.objects.get(pk=purchase.pk).status == "needs_person"
    treasury.confirm_purchase(purchase.pk, file=ReceiptFile(content=PNG), **words)
    assert Purchase.objects.get(pk=purchase.pk).status == "credited"
    assert PurchaseReceipt.objects.get().file_name == "receipt"


@WITH_DATABASE
def test_what_is_too_large_or_too_many_or_of_nothing_is_refused(purchase):
    largest = PDF.ljust(RECEIPT_BYTES_MAX - 5, b" ") + b"%%EOF"
    with pytest.raises(ReceiptUnreadable, match="2 MB"):
        add_receipt(purchase, largest + b"\n")
    assert add_receipt(purchase, largest)[1]
    assert all(add_receipt(purchase, b"%PDF-" + bytes([n]) + b"%%EOF")[1] for n in range(19))
    with pytest.raises(WrongPurchase, match="at most"):
        add_receipt(purchase)
    with pytest.raises(PurchaseNotFound):
        add_receipt(Purchase(pk=0))


@WITH_DATABASE
def test_what_was_not_paid_has_no_receipt(purchase):
    treasury.deny_purchase(purchase.pk, reason="x", actor=FINN, now=NOON)
    assert add_receipt(purchase)[1], "a receipt of what was set aside may come late"
    with pytest.raises(WrongPurchase, match="Nothing was paid"):
        add_receipt(propose())


@WITH_DATABASE
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE treasury_purchasereceipt SET file_name = 'x'",
        "DELETE FROM treasury_purchasereceipt",
        "TRUNCATE treasury_purchasereceipt",
    ],
)
def test_no_client_changes_a_receipt(purchase, statement):
    add_receipt(purchase)
    with connection.cursor() as cursor:
        # So that TRUNCATE does not stop at what is still to be checked.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    refused = pytest.raises(DatabaseError, match="Cannot (update or delete|truncate)")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@WITH_DATABASE
def test_the_database_counts_the_digest_again(purchase):
    receipt, _ = add_receipt(purchase)
    receipt.pk, receipt.content = None, PNG
    receipt.size = len(PNG)
    with pytest.raises(IntegrityError, match="has_its_digest"), transaction.atomic():
        receipt.save(force_insert=True)
