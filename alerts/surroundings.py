"""What routes need to know and this app does not: the reporting zone, and the cost centres of an
alert. An app that knows them registers how to find them when Django starts.
"""

from collections.abc import Collection
from typing import Any, Protocol
from zoneinfo import ZoneInfo


class Surroundings(Protocol):
    """Finds them, with a query each."""

    def zone(self) -> ZoneInfo:
        """The reporting zone of the organisation."""

    def centres_of(self, alert: Any) -> Collection[str]:
        """The cost centre of the agent or session of an alert, and all above it."""


_registered: list[Surroundings] = []


def register(surroundings: Surroundings) -> None:
    """Set what finds them."""
    _registered[:] = [surroundings]


def zone() -> ZoneInfo:
    """The reporting zone of the organisation."""
    return _registered[0].zone()


def centres_of(alert: Any) -> Collection[str]:
    """The cost centre of the agent or session of an alert, and all above it; empty without one."""
    return _registered[0].centres_of(alert)
