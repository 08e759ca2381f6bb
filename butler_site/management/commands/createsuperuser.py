"""manage.py createsuperuser: Django's command, recorded in the audit."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.management.commands import createsuperuser
from django.db import transaction
from django.utils import timezone

from butler_site.audit_actions import Action
from security import audit
from security.actor import Actor


class Command(createsuperuser.Command):
    """Create a user who may do everything."""

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> str | None:
        """Create the user and record who was added."""
        known = set(get_user_model().objects.values_list("pk", flat=True))
        output = super().handle(*args, **options)
        for user in get_user_model().objects.exclude(pk__in=known):
            audit.record(
                actor=Actor.command_line(),
                action=Action.USER_ADD,
                subject=f"user:{user.pk}",
                after={"username": user.get_username(), "superuser": True},
                at=timezone.now(),
            )
        return output
