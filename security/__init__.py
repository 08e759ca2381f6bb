"""Security Gate: vault of sealed secrets, keyed hashes of tokens, redaction, scanner, audit,
approvals.

Verbs: `seal_into`, `unseal_from`, `rekey_vault`, `audit.record`, `ask_approval`, `approve`,
`reject`, `withdraw`, `propose_policy`.
Open: `actor`, `approvals`, `audit`, `audit_changes`, `deciders`, `fields`, `persons`, `redact`,
`refusals`, `request_actor`, `scanner` (which needs no Django), `tokens`, `vault`.
Invariant: a secret is stored only sealed, bound to its row, and appears in no log, page or error;
an audit entry is written with its change or not at all, and never changed; who asks for a change
does not decide it, and a decision is never changed.
"""
