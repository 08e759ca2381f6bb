"""Security Gate: the vault that seals secrets, and keyed hashes of tokens.

Verbs: `seal`, `unseal`, `rotate_vault`, `keyed_hash`. Open to other apps: `vault`, `fields`, `tokens`.
Invariant: a secret rests only sealed, bound to its row, and appears in no log, page or error.
"""
