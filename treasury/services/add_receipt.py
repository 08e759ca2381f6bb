"""Keep receipts of purchases."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.db import transaction

from common.formatting import count
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import Purchase, PurchaseReceipt
from treasury.receipt_files import RECEIPT_BYTES_MAX, media_type_of
from treasury.refusals import ReceiptUnreadable, WrongPurchase
from treasury.services.purchase_steps import lock_purchase, write_step

RECEIPTS_MAX = 20


@dataclass(frozen=True, kw_only=True)
class ReceiptFile:
    """A file as it came, and what the person called it."""

    content: bytes
    name: str = ""


@transaction.atomic(durable=True)
def add_receipt(
    purchase_id: int, file: ReceiptFile, *, actor: Actor, now: datetime
) -> tuple[PurchaseReceipt, bool]:
    """Keep a receipt with its purchase, as long as the ledger; returns it and whether it is new.

    The same bytes are the same receipt. Refusals: PurchaseNotFound, WrongPurchase,
    ReceiptUnreadable.
    """
    return keep_receipt(lock_purchase(purchase_id), file, actor=actor, now=now)


def keep_receipt(
    purchase: Purchase, file: ReceiptFile, *, actor: Actor, now: datetime
) -> tuple[PurchaseReceipt, bool]:
    """As `add_receipt`, with the purchase locked, in the caller's transaction."""
    media_type = _check(file)
    if purchase.reserved_at is None:
        raise WrongPurchase("Nothing was paid for this purchase yet, so it has no receipt.")
    digest = sha256(file.content).digest()
    if earlier := purchase.receipts.filter(digest=digest).first():
        return earlier, False
    if purchase.receipts.count() >= RECEIPTS_MAX:
        raise WrongPurchase(f"A purchase has at most {count(RECEIPTS_MAX, 'receipt')}.")
    receipt = PurchaseReceipt.objects.create(
        purchase=purchase,
        content=file.content,
        digest=digest,
        size=len(file.content),
        media_type=media_type,
        file_name=_plain(file.name) or "receipt",
        added_by=str(actor),
        added_at=now,
    )
    write_step(purchase, note=f"Receipt {receipt.file_name} was added.", actor=actor, now=now)
    audit.record(
        actor=actor,
        action=Action.RECEIPT_ADD,
        subject=purchase.address,
        after={"receipt": receipt.pk, "sha256": receipt.sha256, "bytes": receipt.size},
        at=now,
    )
    return receipt, True


def _check(file: ReceiptFile) -> str:
    """The media type. Refusals: ReceiptUnreadable."""
    if len(file.content) > RECEIPT_BYTES_MAX:
        raise ReceiptUnreadable("The receipt is larger than 2 MB.")
    media_type = media_type_of(file.content)
    if not media_type:
        raise ReceiptUnreadable(
            "The file is not a whole PDF, PNG or JPEG. What counts is its content, not its name."
        )
    return media_type


def _plain(name: str) -> str:
    """The last part of the name, without characters that are not shown or turn the text around."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = (each for each in last if not unicodedata.category(each).startswith("C"))
    return "".join(shown).strip()[:200]
