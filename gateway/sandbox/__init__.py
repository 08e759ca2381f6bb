"""The sandbox provider: a small server that speaks both wire formats and sells nothing.

It knows no Django and no books: what it writes in its own log is what a provider would bill, so
metering can be checked against it. Everything it does wrong, it does when asked to (`directive`).
"""
