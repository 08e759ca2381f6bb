"""Read xAI's changes of prepaid credit: amounts are cents with the sign turned."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from treasury.rails.base import Answer, Outcome, SentPayment
from treasury.rails.http import JSON

# The clocks of Butler and xAI differ.
_CLOCKS = timedelta(minutes=2)
# A request that has left no trace by then was never executed: it ended after some seconds.
TRACE_WITHIN = timedelta(minutes=30)
_PURCHASE, _AUTO_PURCHASE = "PURCHASE", "AUTO_PURCHASE"
_SUCCEEDED, _FAILED = "SUCCEEDED", "FAILED"


@dataclass(frozen=True)
class Change:
    """A purchase among the changes. `created` is its identity: xAI gives it no other at once."""

    created: str
    at: datetime
    amount: Decimal
    status: str

    @property
    def answer(self) -> Answer:
        """What the change says about its payment. What is bought is credit at once."""
        if self.status.startswith(_FAILED):
            outcome = Outcome.DECLINED
        else:
            outcome = Outcome.SETTLED if self.status == _SUCCEEDED else Outcome.ACCEPTED
        return Answer(
            outcome=outcome,
            vendor_id=self.created,
            amount=self.amount,
            code=self.status.lower(),
            is_credited=outcome == Outcome.SETTLED,
        )


def cents(amount: Decimal) -> str:
    """The amount of a top-up: cents, without a sign."""
    return format(amount * 100, ".0f")


def change(given: JSON, *, origin: str = _PURCHASE) -> Change | None:
    """The purchase that a change tells of; None for another change. Raises ValueError."""
    try:
        if given.get("changeOrigin") != origin:
            return None
        return Change(
            created=str(given["createTime"])[:200],
            at=_moment(str(given["createTime"])),
            amount=-Decimal(str(given["amount"]["val"])) / 100,
            status=str(given.get("topupStatus", "")),
        )
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise ValueError("The change cannot be read.") from error


def purchases(body: JSON, *, origin: str = _PURCHASE) -> list[Change]:
    """The purchases in the answer about a balance. Raises ValueError."""
    given = body.get("changes")
    if not isinstance(given, list):
        raise ValueError("The answer has no changes.")
    return [found for each in given if (found := change(each, origin=origin))]


def automatic_purchases(body: JSON) -> list[Change]:
    """What xAI has bought by itself, because auto-reload is on. Raises ValueError."""
    return purchases(body, origin=_AUTO_PURCHASE)


def matching(made: Iterable[Change], sent: SentPayment) -> Answer:
    """Which of the purchases that were made is the one that was sent.

    It has the amount, is not older than the request, and belongs to no other purchase of Butler's.
    Nothing for half an hour means that it never arrived; two of them are for a person.
    """
    if sent.vendor_id:
        known = [each for each in made if each.created == sent.vendor_id]
        return known[0].answer if known else Answer(outcome=Outcome.UNKNOWN, code="change_is_gone")
    found = [
        each
        for each in made
        if each.amount == sent.amount
        and each.at >= sent.sent_at - _CLOCKS
        and each.created not in sent.taken
    ]
    if len(found) == 1:
        return found[0].answer
    if found:
        return Answer(
            outcome=Outcome.ACTION,
            code="several_purchases",
            message=f"xAI shows {len(found)} purchases of this amount since it was sent, as if "
            "somebody else had bought credit at the same time. Compare them in xAI's console.",
        )
    if sent.asked_at < sent.sent_at + TRACE_WITHIN:
        return Answer(outcome=Outcome.UNKNOWN, code="no_trace_yet")
    return Answer(
        outcome=Outcome.DECLINED,
        code="never_arrived",
        message="The request has left no trace with xAI for half an hour.",
    )


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
