"""Requests that two API keys were refused for alike, remembered for a short time.

The same request, sent again, need not be tried on a second key. Kept in memory, for one process:
losing it costs one try on another key.
"""

from time import monotonic

from gateway.provider_errors import About, ProviderError

_SECONDS = 60
_REQUESTS_MAX = 10_000


class RememberedRefusals:
    """Refused requests, by a digest, with what was said of them and the keys that were refused."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[About, list[str], float]] = {}

    def add(self, request: bytes, error: ProviderError, keys: list[str]) -> None:
        """Remember the request. Limits that end at a known time are not about the request."""
        if error.wait_seconds is not None:
            return
        self.forget(request)
        if len(self._known) >= _REQUESTS_MAX:
            # The oldest: dicts keep the order of insertion.
            del self._known[next(iter(self._known))]
        self._known[request] = error.about, keys, monotonic() + _SECONDS

    def keys_refused_for(self, request: bytes, error: ProviderError) -> list[str]:
        """The keys that were refused for the same request with the same meaning; [] if none."""
        about, keys, until = self._known.get(request, (None, [], 0.0))
        return keys if about is error.about and monotonic() < until else []

    def forget(self, request: bytes) -> None:
        """Forget what was known of the request, if anything was."""
        self._known.pop(request, None)
