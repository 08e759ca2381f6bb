"""Exchange rates: reading files of the European Central Bank, and which rate counts for a day.

Pure rules: they read bytes and values, and no tables.
"""
