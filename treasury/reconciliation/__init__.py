"""Reconciliation: what providers report of usage and cost against what Butler metered.

Pure rules: they read bytes and values, and no tables.
"""
