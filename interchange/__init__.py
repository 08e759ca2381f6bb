"""Interchange: state files of another Token Manager, replay of real traces, the demo fleet.

Verbs: `import_state`, `export_state`, `demo_fleet.load`.
Invariant: an import stores all of its files or nothing, and an export loses nothing of them.
"""
