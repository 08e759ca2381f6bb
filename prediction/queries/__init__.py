"""Reads of forecasts and of what came of them."""
