"""Reads of providers, API keys and prices."""
