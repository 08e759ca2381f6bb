"""Forecasts: the versions of what was learned, how they did, and which one is used."""
