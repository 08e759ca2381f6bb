"""Writes of the books: lend, hold, settle, rotate, close."""
