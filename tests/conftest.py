"""What every test may use."""

from datetime import UTC, datetime

import pytest

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def noon():
    """A fixed moment: never the day the test runs."""
    return NOON
