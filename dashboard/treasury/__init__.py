"""The pages of the Treasury: accounts, purchases of credit, and policies."""
