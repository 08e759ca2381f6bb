"""Whether a person may change the access of another one."""

from typing import Any

from django.contrib.auth.models import User


def may_manage(user: Any, person: User | None) -> bool:
    """Whether `user` may manage people, and this one: only superusers manage superusers."""
    if person and person.is_superuser and not user.is_superuser:
        return False
    may: bool = user.has_perm("gate.manage_people")
    return may


def may_do_as_much(user: Any, person: User) -> bool:
    """Whether `user` may do all that `person` may: who sets a password can sign in."""
    may: bool = user.is_superuser or (
        not person.is_superuser and person.get_all_permissions() <= user.get_all_permissions()
    )
    return may
