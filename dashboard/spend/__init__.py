"""The spend explorer: its query parameters, its table and its chart."""
