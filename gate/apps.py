"""The app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from common.admin import visible_rows


class GateConfig(AppConfig):
    """The Security Gate where it knows keys."""

    name = "gate"
    verbose_name = "Security Gate"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the roles after each migration, and say which rows people see."""
        from gate import roles, rows  # noqa: PLC0415 - need the models

        post_migrate.connect(roles.make_groups, sender=self)
        visible_rows.register(rows.visible)
