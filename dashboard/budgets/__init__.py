"""Budgets: the limits of cost centres and agents, what is left of them, and where they land."""
