"""What is learned from settled work: numpy only, no rows, no Django.

`train` makes a `Forecaster` of `Rows`, `Forecaster.forecast` answers quantiles, `to_json` and
`from_json` keep one. Bench and jobs use the same code.
"""
