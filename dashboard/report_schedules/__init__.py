"""Scheduled reports: the list of a person, one of them with its runs, and what is done to it."""
