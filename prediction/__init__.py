"""How many tokens will this need?

Verbs: `estimate`. Pure functions, no rows yet: the same text always gets the same answer.
"""
