"""`python -m bench.prediction`: how good forecasts of tokens are, on recorded work.

The recordings are not part of Butler: `--data` or BUTLER_BENCH_DATA names their folder. Nothing is
tuned here: every fold learns from its own rows only, as an installation does from its history.
"""
