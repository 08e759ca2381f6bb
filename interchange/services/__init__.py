"""Import the state files of another Token Manager, export Butler's state, import lists of keys."""

from interchange.key_lists.entries import COLUMNS as KEY_COLUMNS
from interchange.key_lists.entries import model_by_provider
from interchange.key_lists.reading import BYTES_MAX as KEY_LIST_BYTES_MAX
from interchange.key_lists.reading import read as read_key_list
from interchange.services.import_keys import (
    KeyDefaults,
    KeyOutcome,
    KeyResult,
    counts,
    import_keys,
)
from interchange.services.import_state import ImportResult, export_state, import_state

__all__ = [
    "KEY_COLUMNS",
    "KEY_LIST_BYTES_MAX",
    "ImportResult",
    "KeyDefaults",
    "KeyOutcome",
    "KeyResult",
    "counts",
    "export_state",
    "import_keys",
    "import_state",
    "model_by_provider",
    "read_key_list",
]
