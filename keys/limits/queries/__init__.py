"""Reads of limits and windows."""
