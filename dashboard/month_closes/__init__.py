"""Months of the books: the list of them, and the page of one with its checklist."""
