"""Writes of the app: take over the state of another Token Manager, all of it or nothing."""

from interchange.services.import_state import Imported, exported_state, import_state

__all__ = ["Imported", "exported_state", "import_state"]
