"""The pages of API keys: how much of each is left, until when, and what people may do to it."""
