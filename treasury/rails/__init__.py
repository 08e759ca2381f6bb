"""Rails: the ways in which money moves, a package each. They know no Django and no ledger.

`base` is the protocol of all; the registry of what this installation has is `treasury.rail_list`.
"""
