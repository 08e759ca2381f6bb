"""Fixed moments: never the day a test runs."""

from datetime import UTC, datetime

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
