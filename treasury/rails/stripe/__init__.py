"""Stripe: collects money by saved card or hosted page, and tells balance and movements.

It cannot pay a provider: a payment intent brings money to one's own balance, and a payout goes to
one's own bank. `kind` is what people set up, `rail` what the Treasury calls, `answers` what
Stripe's objects mean, `webhook` checks what Stripe tells.
"""
