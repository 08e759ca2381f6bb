"""What the metering gateway costs: beside a bare proxy on the same stack, in the same run.

`make bench-gateway` runs it on a fresh database of its own, with an upstream of its own.
"""
