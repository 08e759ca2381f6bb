"""What providers count: asked on their free routes, or read from the usage of earlier calls.

A bound by bytes is several times the tokens of a text whose tokenizer is not public. These counts
take its place where it does not fit into what is left of a budget. They are kept in memory: what a
process forgets costs one more question.
"""
