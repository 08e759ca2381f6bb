"""State files: `token-manager-state.json` and `api-keys.json` of another Token Manager.

`files` reads and writes them, `validation` checks them, `key_terms`, `imported_books`
and `imported_records` translate them, `usage_periods` finds the moments at which imported usage is
booked, `render` writes Butler's state in their form, `merge` keeps what Butler does not know.
docs/decisions/0004 has the reasons; `services` import and export.
"""
