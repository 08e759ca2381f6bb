"""Import the state files of another Token Manager, and export Butler's state."""

from interchange.services.import_state import ImportResult, export_state, import_state

__all__ = ["ImportResult", "export_state", "import_state"]
