"""Backups: one encrypted file of the database, and one of the vault's keys for another place."""
