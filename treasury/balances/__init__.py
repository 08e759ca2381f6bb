"""Balances of prepaid credit as providers tell them: a file for each format, pure functions.

`formats` is the list of all. Providers that are not in it tell no balance: it follows from the
ledger alone.
"""
