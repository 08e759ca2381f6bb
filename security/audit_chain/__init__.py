"""The audit chain: what was written cannot be changed, removed or added to without being found.

Writers queue their rows by a trigger (`triggers`), `seal` puts the rows that wait into a Merkle
tree and signs its root, `verify` compares the rows with the tree, `checkpoint` and `export` make
what others keep outside. Which rows: the `sources` that each app registers. None of it trusts the
triggers.
"""
