"""Security Gate: vault of sealed secrets, keyed hashes of tokens, redaction, scanner, audit,
approvals.

Verbs: `seal_into`, `unseal_from`, `rekey_vault`, `audit.record`, `seal_rows`, `ask_approval`,
`approve`, `reject`, `withdraw`, `propose_policy`, `name_deputy`, `revoke_delegation`.
Open: `actor`, `approvals`, `audit`, `audit_chain`, `audit_changes`, `deciders`, `delegations`,
`fields`, `keyring_sources`, `persons`, `reauthentication`, `reasons`, `redact`, `refusals`,
`request_actor`, `scanner` (which needs no Django), `signed_notes`, `tokens`, `vault`. Open to SQL:
`security_unsealedrow`.
Invariant: a secret is stored only sealed, bound to its row, and appears in no log, page or error;
an audit entry is written with its change or not at all, and never changed; what was sealed into
the audit chain cannot be changed without `manage.py audit verify` naming it; who asks for a change
does not decide it, a deputy decides for both persons, and a decision is never changed.
"""
