"""The app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from common.admin import visible_rows
from gateway import leaks


class GateConfig(AppConfig):
    """The Security Gate where it knows keys."""

    name = "gate"
    verbose_name = "Security Gate"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the roles after each migration, say which rows people see, and what follows from a
        leak."""
        from gate import roles, rows, services  # noqa: PLC0415 - need the models

        post_migrate.connect(roles.make_groups, sender=self)
        visible_rows.register(rows.visible, rows.within)
        leaks.register(services.report_leak)
