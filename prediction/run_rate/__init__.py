"""The run rate: when a limit or a credit is used up at this pace, and where a period lands.

Pure functions on usage by hour and by day; no rows. `pace` chooses the better of two forecasters on
the past and says how sure it is, `exhaustion` tells when something is used up, `landing` where a
period ends.
"""
