"""Commands of Security Gate."""
