"""What finance staff keep: saved views, notes on dates, files that a job makes, colours of charts,
closed months.

Verbs: `save_view`, `change_view`, `delete_view`, `add_note`, `delete_note`, `ask_export`,
`claim_export`, `store_export`, `assign_colours`, `lock_month`, `sign_month`, `ask_reopening`.
Open: `focus`, `landing`, `month_periods`, `refusals`.
Invariant: a file is for the person who asked for it alone, and is deleted after a week. A closed
month never changes.
"""
