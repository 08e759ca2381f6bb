"""The simulator: a rail with play money, and the program that is its vendor.

`rail` is what the Treasury calls. `python -m treasury.rails.simulator` is the vendor: it has a
clock that can be moved, keeps idempotency keys, and fails as it is asked to.
"""
