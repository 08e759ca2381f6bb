"""Reads of the Token Manager that join, aggregate or feed pages and the API."""
