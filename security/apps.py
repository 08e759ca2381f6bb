"""Django configuration of the app."""

from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.module_loading import autodiscover_modules

from security.checks import check_keys, check_secrets


class SecurityConfig(AppConfig):
    """Registers `security` and its system checks."""

    name = "security"
    verbose_name = "Security"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell Django about the checks; find what every app lists in modules of these names."""
        autodiscover_modules("audit_actions", "approval_kinds", "audit_sources")
        register(check_keys, Tags.security)
        register(check_secrets, Tags.database)
