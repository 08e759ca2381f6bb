"""Alerts, channels, notifications: something a person must know, and telling them.

Verbs: `raise_alert`, `acknowledge`, `resolve`, `deliver`, `test_channel`.
Open to other apps: `refusals`. Invariants: at most one alert that is not resolved per dedup key,
whoever raises it how often; at most one delivery under way per channel; URLs rest sealed.
"""
