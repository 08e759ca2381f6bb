"""The pages of agents: what each spends, what is left of its budgets, and what people may do."""
