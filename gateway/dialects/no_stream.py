"""The meter of routes that do not stream."""

from gateway.dialects.base import Reported
from keys.services import Usage


class UnmeteredStream:
    """Lets everything by and knows nothing."""

    reported: Reported | None = None
    ended = False
    failed = False

    def feed(self, event: bytes) -> bytes:
        """The event."""
        return event

    def evidence(self, *, model: str) -> Usage | None:
        """Nothing is known."""
        return None
