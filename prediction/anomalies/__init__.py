"""What is not as usual: pure functions on usage by hour and day, and on the calls of a session.

`series` finds spikes, slow creep and changed prices, `calls` loops, stuck sessions and storms of
retries.
Jobs and the bench use the same code.
"""
