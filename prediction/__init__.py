"""How many tokens will this need, and how long will they last?

Verbs: `estimate` (the rule of words), `forecast`, `size_budget`, `record_settled_work`,
`train_model`, `activate`, `learn_paces`, `watch_limits`, `watch_calls`, `watch_usage`,
`expect_anomaly`, `keep_savings`, `dismiss_saving`. Invariant: a forecast is stored before its
budget is lent, and is learned from what was settled before.

Open: `run_rate`, `savings`.
"""

import os

# NumPy reads this when it is imported, which is here first. Matrices are small: with more threads
# their products take ten times as long, since the threads wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
