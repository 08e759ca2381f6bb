"""Reads of agents, tokens and sessions, for authentication."""
