"""Treasury: the ledger of money, in double entry.

Verbs: `open_account`, `transfer`, `begin_pending`, `post_pending`, `void_pending`,
`expire_pending`, `close_period`.
Invariant: each transfer has one debit and one credit of the same amount and currency and is never
changed, and each account's balances are the sums of its transfers (`manage.py check_ledger` counts
them again).
"""
