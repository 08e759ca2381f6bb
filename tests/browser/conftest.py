"""These tests run where Chromium is installed, or where `BUTLER_BROWSER_TESTS` is `required`."""

import shutil

import pytest

from tests.required import skip_unless_installed

_MISSING = None if shutil.which("chromium") else "Chromium is not installed"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all tests of this folder without Chromium."""
    skip_unless_installed(
        items, folder="browser", missing=_MISSING, variable="BUTLER_BROWSER_TESTS"
    )
