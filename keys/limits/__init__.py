"""Limits and their windows: how much may be spent in which period."""
