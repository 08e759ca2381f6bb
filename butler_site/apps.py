"""Django configuration of the app."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class ButlerSiteConfig(AppConfig):
    """Registers `butler_site`: its system checks and management commands."""

    name = "butler_site"
    verbose_name = "Butler"

    def ready(self) -> None:
        """Register the system checks and what follows from wrong passwords."""
        from butler_site import checks, sign_in  # noqa: F401, PLC0415 - need the models

        register(checks.postgres_is_new_enough, Tags.database)
        register(checks.lifetimes_fit)
        register(checks.second_factors_are_sound)
        register(checks.variables_are_known)
