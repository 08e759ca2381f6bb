"""Import state files, export Butler's state, import lists of keys and usage of other systems."""

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
from interchange.services.import_usage import UsageImport, UsageProblem, UsageSource, import_usage
from interchange.usage_files.columns import FIELDS as USAGE_FIELDS
from interchange.usage_files.columns import columns_from
from interchange.usage_files.matching import UsageNames, names_of
from interchange.usage_files.reading import BYTES_MAX as USAGE_BYTES_MAX

__all__ = [
    "KEY_COLUMNS",
    "KEY_LIST_BYTES_MAX",
    "USAGE_BYTES_MAX",
    "USAGE_FIELDS",
    "ImportResult",
    "KeyDefaults",
    "KeyOutcome",
    "KeyResult",
    "UsageImport",
    "UsageNames",
    "UsageProblem",
    "UsageSource",
    "columns_from",
    "counts",
    "export_state",
    "import_keys",
    "import_state",
    "import_usage",
    "model_by_provider",
    "names_of",
    "read_key_list",
]
