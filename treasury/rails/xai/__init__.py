"""xAI: the one provider that sells prepaid credit by its own API.

A top-up charges the payment method of the team. xAI keeps no idempotency key, so Butler sends each
purchase once, and learns from the list of changes what came of it.
"""
