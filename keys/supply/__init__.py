"""What is bought: providers, API keys, prices, and what providers say of a key."""
