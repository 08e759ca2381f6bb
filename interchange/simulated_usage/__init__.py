"""Simulated usage: sessions of agents over past days, for demos and benchmarks.

`workloads` says who works on what, `sessions` makes the sessions that `keys.import_sessions` takes.
The same seed makes the same sessions.
"""
