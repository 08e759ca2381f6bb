"""Token Manager: providers, API keys, agents, cost centres, limits, allocations, charges, prices.

Folders: `identity` (who spends, who pays), `supply` (what is bought), `limits` (limits and their
windows), `books` (allocations and charges). `services` and `models` list what all four offer.
Verbs: `allocate`, `hold`, `settle`, `report_usage`, `rotate`, `complete`, `fail`, `extend`, …
(`services` lists them).
Open: `allow_lists`, `audit_actions`, `refusals`, `periods`, `limit_names`, `pricing`,
`model_facts`, `image_rules`, `known_providers`, `own_secrets`, `base_urls`, `reasons`.
Open to SQL: `keys_allocation_usage` (what allocations were lent, used and hold) and
`keys_settled_usage` (what settled charges and their adjustments add up to).
Invariant: nothing is spent that was not set aside first (`manage.py check_books` counts it again).
"""
