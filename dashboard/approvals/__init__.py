"""The inbox of all that waits for a person's yes: approvals of every kind, and gates of tasks."""
