"""Writes of agents, cost centres and tokens."""
