"""Writes of limits and their windows."""
