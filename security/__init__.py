"""Security Gate: the vault that seals secrets, keyed hashes of tokens, scrubbing of texts.

Verbs: `seal_into`, `unseal_from`, `rotate_vault`. Open: `vault`, `fields`, `tokens`, `redact`.
Invariant: a secret rests only sealed, bound to its row, and appears in no log, page or error.
"""
