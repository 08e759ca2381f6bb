"""Django configuration of the app."""

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.module_loading import autodiscover_modules

from security.checks import keys_usable, secrets_readable


class SecurityConfig(AppConfig):
    """Registers `security` and its system checks."""

    name = "security"
    verbose_name = "Security"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell Django about the checks; find the actions of every app."""
        autodiscover_modules("audit_actions")
        register(keys_usable, Tags.security)
        register(secrets_readable, Tags.database)
