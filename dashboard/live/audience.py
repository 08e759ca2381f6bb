"""All who see the same on a page."""

from dataclasses import dataclass
from typing import Any

from gate.rows import bindings


@dataclass(frozen=True, slots=True)
class Audience:
    """People with the same permissions on the same part of the tree of cost centres.

    Stands for any of them where a user is asked for, so that what is rendered for one is not told
    who that is: there is no name and no id.
    """

    permissions: frozenset[str]
    # Empty: the whole tree.
    bound_centres: tuple[str, ...]

    is_authenticated = True
    is_superuser = False

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """As of a user."""
        return permission in self.permissions

    def has_module_perms(self, app: str) -> bool:
        """As of a user."""
        return any(each.startswith(f"{app}.") for each in self.permissions)


def audience_of(user: Any) -> Audience:
    """The audience that the user belongs to."""
    return Audience(frozenset(user.get_all_permissions()), tuple(sorted(bindings(user))))
