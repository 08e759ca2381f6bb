"""Writes of the app: import the state files of another Token Manager, all of them or nothing."""

from interchange.services.import_state import Imported, export_state, import_state

__all__ = ["Imported", "export_state", "import_state"]
