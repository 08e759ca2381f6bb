"""Lists of API keys as people keep them: CSV, JSON and .env files."""
