"""What finance staff keep: saved views of pages, notes on dates, and files that a job makes.

Verbs: `save_view`, `change_view`, `delete_view`, `add_note`, `delete_note`, `ask_export`,
`claim_export`, `store_export`.
Open: `focus`, `refusals`.
Invariant: a file is for the person who asked for it alone, and is deleted after a week.
"""
