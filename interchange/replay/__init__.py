"""Replay of real traces: agents are driven through allocate → report usage → complete.

`traces` reads the files, `driver` drives, `report` says what came of it. The clock of the books is
the wall clock at every speed, so a trace of a week that is replayed in a minute is spent from the
windows of today: where it does not fit, the report shows the refusals.
"""
