"""Treasury: the ledger of money in double entry, purchases of prepaid credit, reconciliation.

Verbs: `open_account`, `transfer`, `begin_pending`, `post_pending`, `void_pending`,
`expire_pending`, `close_period`; `propose_payee`, `propose_policy`, `propose_purchase`,
`advance_purchase`, `apply_answer`, `confirm_purchase`; `set_balance_access`, `take_balance`,
`record_expiring_credit`; `import_report`, `import_rail_statement`, `match_rail_statements`,
`import_rates`, `record_rate`, `record_exchange`,
`reconcile`, `explain_difference`, `adjust_difference`, `accept_difference`.
Open: `balances`, `exchange`, `rail_statements`, `reconciliation`, `refusals`.
Invariant: each transfer has one debit and one credit of the same amount and currency and is never
changed, and each account's balances are the sums of its transfers; a purchase is paid once, within
the bounds of its policy (`manage.py check_ledger` counts them again).
"""
