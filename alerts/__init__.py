"""Alerts, channels, notifications: something a person must know, and telling them.

Verbs: `raise_alert`, `acknowledge`, `resolve`, `deliver`, `test_channel`.
Invariant: at most one open alert per dedup key, whoever raises it how often.
"""
