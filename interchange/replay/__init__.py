"""Replay of real traces: agents are driven through allocate → report usage → complete.

`traces` reads the files, `driver` makes the calls, `report` sums up the result. At every speed the
books use the current time, so a trace of a week that is replayed in a minute counts in the current
limit windows. The report shows the refusals where the limits are too low.
"""
