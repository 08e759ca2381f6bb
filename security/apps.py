"""Django configuration of the app."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from security.checks import keys_usable, secrets_readable


class SecurityConfig(AppConfig):
    """Registers `security` and its system checks."""

    name = "security"
    verbose_name = "Security"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell Django about the checks."""
        register(keys_usable, Tags.security)
        register(secrets_readable, Tags.database)
