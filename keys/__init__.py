"""Token Manager: providers, API keys, agents, cost centres, limits, allocations, charges, prices.

Verbs: `allocate`, `hold`, `settle`, `report_usage`, `rotate`, `complete`, `fail`, `extend`, …
(`services` lists them).
Open: `refusals`.
Invariant: nothing is spent that was not set aside first (DESIGN, section 3; `queries.books_check`).
"""
