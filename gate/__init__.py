"""The part of the Security Gate that knows keys, agents and cost centres.

It owns what follows from a finding, freezes, roles, approvals of changes to limits, and backups.
Invariant: a frozen key, agent or cost centre spends nothing, on any process.
"""
