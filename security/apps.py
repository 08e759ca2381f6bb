"""Django configuration of the app."""

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    """Registers `security`."""

    name = "security"
    verbose_name = "Security"
    default_auto_field = "django.db.models.BigAutoField"
