"""Reads of agents, tokens and sessions: who is calling."""
