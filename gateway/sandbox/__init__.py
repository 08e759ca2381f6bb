"""The sandbox provider: a small server that speaks both wire formats, with generated answers.

It knows no Django and no books: its own log has what a provider would bill, so metering can be
checked against it. It misbehaves only when a request asks for it (`directive`).
"""
