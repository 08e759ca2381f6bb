"""The first administrator: has a random password, in a file that only its owner can read."""

import secrets
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from butler_site.audit_actions import Action
from security import audit
from security.actor import Actor

NAME = "admin"


def first_sign_in(file: Path) -> str | None:
    """`name / password` of the administrator in `file`, who is created if no superuser exists.

    None if the superusers were created in another way, or if the password has changed.
    """
    users = get_user_model().objects
    if not users.filter(is_superuser=True).exists():
        _create(file)
    try:
        name, password = file.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        # It is not there, or is not what Butler wrote.
        return None
    user = users.filter(username=name, is_superuser=True, is_active=True).first()
    return f"{name} / {password}" if user and user.check_password(password) else None


def _create(file: Path) -> None:
    """Write the file, then create the user: after a crash in between, the next start does both."""
    password = secrets.token_urlsafe(12)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(f"{NAME}\n{password}\n", encoding="utf-8")
    with transaction.atomic():
        user = get_user_model().objects.create_superuser(NAME, password=password)
        audit.record(
            actor=Actor.command_line(),
            action=Action.USER_ADD,
            subject=f"user:{user.pk}",
            after={"username": NAME, "superuser": True},
            at=timezone.now(),
        )
