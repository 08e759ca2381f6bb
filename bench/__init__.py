"""Benchmarks: programs that print figures beside what they are compared to, in the same run.

`make bench` runs them on a fresh database of their own. Nothing here is a test.
"""
