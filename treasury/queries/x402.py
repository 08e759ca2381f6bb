"""Reads of payments to services."""

from treasury.models import X402Payment
from treasury.refusals import PaymentNotFound


def x402_payment(payment_id: int, *, agent: str) -> X402Payment:
    """A payment of the agent. Refusals: PaymentNotFound."""
    found = X402Payment.objects.filter(pk=payment_id, agent=agent).first()
    if found is None:
        raise PaymentNotFound(payment_id=payment_id)
    return found
