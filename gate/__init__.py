"""The part of the Security Gate that knows keys, agents and cost centres.

It owns what follows from a finding, freezes, roles, approvals of changes to limits, and backups.
`roles` makes the groups of `roles.toml`; `rows` has the rule by which people who are bound to a
part of the tree of cost centres see only its rows.
Verbs: `invite`, `set_access`, `sign_out`, `request_budget`, `ask_reveal`, `show_secret`, `back_up`,
`restore`.
Open: `access`, `invitations`, `refusals`, `roles`, `rows`.
Invariant: a frozen key, agent or cost centre spends nothing, on any process.
"""
