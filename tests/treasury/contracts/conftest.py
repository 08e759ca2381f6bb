"""The mock server of OpenAPI documents, from npm."""

from pathlib import Path

import pytest

from tests.required import skip_unless_installed

STEADY = Path(__file__).parents[3] / "var/contracts/npm/node_modules/.bin/steady"
_MISSING = "`make contracts` installs the mock server that it runs."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In one worker; without what it runs, not at all."""
    missing = None if STEADY.exists() else _MISSING
    skip_unless_installed(items, folder="contracts", missing=missing, variable="BUTLER_CONTRACTS")
