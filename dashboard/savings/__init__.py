"""Savings: what could have been spent less, and what people do about it."""
