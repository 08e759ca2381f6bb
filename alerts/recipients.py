"""Who gets alerts: what routes need to know of persons, and this app does not. Open to every app.

The app that knows roles and cost centres of persons registers how to find them when Django starts.
"""

from collections.abc import Collection
from typing import Any, Protocol


class People(Protocol):
    """Finds persons, with few queries each. All of them are active and may see alerts."""

    def holders(
        self, *, roles: Collection[str], persons: Collection[int], centres: Collection[str]
    ) -> set[int]:
        """The ids of `persons`, and of those who hold one of `roles`, as far as they see what is of
        one of `centres`. What is of no cost centre is seen by people who are bound to none."""

    def concerned(self, alert: Any) -> set[int]:
        """The ids of the persons for whom the alert waits: those who may decide
        its approval."""

    def role_names(self) -> list[str]:
        """The names of the roles that persons can hold."""


class _Nobody:
    def holders(self, **_: Any) -> set[int]:
        return set()

    def concerned(self, alert: Any) -> set[int]:
        return set()

    def role_names(self) -> list[str]:
        return []


_registered: list[People] = [_Nobody()]


def register(people: People) -> None:
    """Set what finds them."""
    _registered[:] = [people]


def people() -> People:
    """What finds them."""
    return _registered[0]
