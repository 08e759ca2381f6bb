"""Book what vendors have given back by themselves."""

from datetime import datetime
from decimal import Decimal

from treasury.models import Refund, RefundSource, RefundStatus
from treasury.services.order_kind import record_step
from treasury.services.refund_kind import REFUNDS, refund_entries
from treasury.services.refunded_payment import Paid
from treasury.services.transfer import transfer


def see_refunds(paid: Paid, told: Decimal | None, *, now: datetime) -> None:
    """Book what the vendor has given back by itself, which is what it tells beyond the refunds
    that Butler knows.

    While the rail has one of Butler's own under way, nothing is decided: the vendor may count it
    already. Joins the caller's transaction. Refusals: AccountOverdrawn, PeriodClosed.
    """
    if told is None or paid.reversed_at or paid.refunds().sent().exists():
        return
    known = paid.transfer.amount - paid.booked_left()
    more = min(told - known, paid.left())
    if more <= 0:
        return
    booked_as = Refund(
        **paid.terms,
        rail=paid.rail,
        amount=more,
        currency=paid.transfer.currency,
        source=RefundSource.VENDOR,
        status=RefundStatus.SETTLED,
        reason="The vendor gave it back by itself.",
        asked_by=str(REFUNDS.job),
        asked_at=now,
        settled_at=now,
    )
    entries = refund_entries(paid, booked_as, now=now)
    journal = paid.transfer.journal
    booked_as.transfer = transfer(entries, journal=journal, actor=REFUNDS.job, now=now)[0]
    booked_as.save(force_insert=True)
    record_step(REFUNDS, booked_as, reason=booked_as.reason, actor=REFUNDS.job, now=now)
