"""Who spends and who pays: cost centres, agents and their tokens."""
