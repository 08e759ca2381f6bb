"""How many tokens will this need?

Verbs: `estimate` (the rule of words), `forecast`, `size_budget`, `record_settled_work`,
`train_model`, `activate`. Invariant: a forecast is stored before its budget is lent, and is learned
from what was settled before.
"""
