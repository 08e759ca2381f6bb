"""What finance staff keep: saved views, notes on dates, files that a job makes, colours of charts,
closed months, charge-back, scheduled reports, savings.

Verbs: `save_view`, `change_view`, `delete_view`, `add_note`, `delete_note`, `ask_export`,
`claim_export`, `store_export`, `assign_colours`, `lock_month`, `sign_month`, `ask_reopening`,
`share_costs`, `stop_sharing`, `change_mark_up`, `write_note`, `add_schedule`, `open_due_runs`,
`claim_run`, `find_savings`, `prefer_key`.
Open: `cost_split`, `focus`, `month_periods`, `refusals`, `statement_files`.
Invariant: a file is for the person who asked for it alone, and is deleted after a week. A closed
month never changes, and each cent of it is in one statement or unallocated.
"""
