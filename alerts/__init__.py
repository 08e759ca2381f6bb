"""Alerts about what people must know, and their notifications through channels.

Verbs: `raise_alert`, `acknowledge`, `snooze`, `resolve`, `deliver`, `test_channel`.
Open: `refusals`, `kinds`, `recipients`, `rules`, `surroundings`.
Invariants: at most one unresolved alert per dedup key, however often it is raised; at most one
delivery under way per channel; channel URLs are stored sealed only.
"""
