"""Charge-back: the list of statements, how shared costs are split, and mark-ups."""
