"""manage.py changepassword: Django's command, recorded in the audit."""

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from butler_site.audit_actions import Action
from security import audit
from security.actor import Actor


class Command(changepassword.Command):
    """Change the password of a user."""

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> str | None:
        """Change the password and record whose it was."""
        output = super().handle(*args, **options)
        # As Django: without a name, the user of the operating system.
        name = options["username"] or getpass.getuser()
        audit.record(
            actor=Actor.command_line(),
            action=Action.USER_CHANGE_PASSWORD,
            subject=f"user:{User.objects.get_by_natural_key(name).pk}",
            at=timezone.now(),
        )
        return output
