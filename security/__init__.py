"""Security Gate: vault of sealed secrets, keyed hashes of tokens, redaction, scanner, audit.

Verbs: `seal_into`, `unseal_from`, `rekey_vault`, `audit.record`.
Open: `actor`, `audit`, `audit_changes`, `request_actor`, `vault`, `fields`, `tokens`, `redact`,
`scanner` (which needs no Django).
Invariant: a secret is stored only sealed, bound to its row, and appears in no log, page or error;
an audit entry is written with its change or not at all, and never changed.
"""
