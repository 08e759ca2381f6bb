"""Receipts as files, and purchases that a person pays, for tests."""

from decimal import Decimal

from tests.moments import NOON
from tests.treasury.purchases import FINN, add_payee, approve, carry_on, fund, propose_policy
from treasury import services as treasury
from treasury.models import Purchase, PurchasePolicy
from treasury.services import ReceiptFile

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 17 + b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 20 + b"\xff\xd9"


def waiting_purchase(amount: str = "40.00") -> Purchase:
    """A purchase that a person has to pay from the account `bank`."""
    add_payee("portal", method="person", rail="bank", destination="https://billing.example/top-up")
    approve(propose_policy(payee="portal")[0])
    fund("1000.00", "rail:bank")
    policy = PurchasePolicy.objects.get(payee="portal")
    return carry_on(
        treasury.propose_purchase(policy.pk, Decimal(amount), reason="x", actor=FINN, now=NOON)
    )


def add_receipt(purchase: Purchase, content: bytes = PDF, name: str = "invoice.pdf"):
    """Keep a receipt; returns it and whether it is new."""
    file = ReceiptFile(content=content, name=name)
    return treasury.add_receipt(purchase.pk, file, actor=FINN, now=NOON)
