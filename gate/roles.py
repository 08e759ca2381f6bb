"""Roles of people: for each role of `roles.toml` a Django group with exactly its permissions."""

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission

_FILE = Path(__file__).with_name("roles.toml")


class Right(NamedTuple):
    """What a role allows, as a sentence, and the permissions for it (`app.codename`, with `*`)."""

    meaning: str
    permissions: tuple[str, ...]

    def covers(self, permission: str) -> bool:
        """Whether the right includes `app.codename`."""
        return any(fnmatchcase(permission, pattern) for pattern in self.permissions)


class Role(NamedTuple):
    """A role: its name, which is that of its group, whom it is for, and its rights."""

    name: str
    meaning: str
    rights: tuple[Right, ...]


@cache
def roles() -> dict[str, Role]:
    """The roles by name, in the order of the file."""
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    rights = {
        name: Right(right["meaning"], tuple(right["permissions"]))
        for name, right in data["rights"].items()
    }
    return {
        name: Role(name, role["meaning"], tuple(rights[each] for each in role["rights"]))
        for name, role in data["roles"].items()
    }


def make_groups(**kwargs: Any) -> None:
    """After a migration: a group for each role with its permissions, no more and no fewer.

    People who have the role keep it. Groups that are no roles are left alone.
    """
    for app in apps.get_app_configs():
        create_permissions(app, verbosity=0)
    permissions = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in Permission.objects.select_related("content_type")
    }
    for role in roles().values():
        group, _ = Group.objects.get_or_create(name=role.name)
        group.permissions.set(permissions[name] for name in _permissions(role, permissions))


def _permissions(role: Role, names: dict[str, Permission]) -> Iterator[str]:
    return (name for name in names if any(right.covers(name) for right in role.rights))
