"""What one attacker takes from honest agents: each kind of attack beside a steady load of calls.

`make bench-hostile` runs it on a fresh database of its own, with the sandbox as provider.
"""
