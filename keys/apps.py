"""Django configuration of the app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class KeysConfig(AppConfig):
    """Registers the app `keys`, and what apps above it add to its registries."""

    name = "keys"
    verbose_name = "Token Manager"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Fill the registries of books checks, guards of retention, closed periods, open work and
        secrets."""
        autodiscover_modules(
            *("books_checks", "retention_guards", "closed_usage"),
            *("open_work", "own_secret_sources"),
        )
