"""Rails: the ways in which money moves, a package each. They know no Django and no ledger.

`base` is the protocol of all, `kinds` what a vendor is, `http` calls one, `webhooks` is what its
webhooks must pass. The registry of what this installation has is `treasury.rail_list`.
"""
