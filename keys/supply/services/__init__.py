"""Writes of providers, API keys and prices."""
