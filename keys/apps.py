"""Django configuration of the app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class KeysConfig(AppConfig):
    """Registers the app `keys`, and the books checks of apps above it."""

    name = "keys"
    verbose_name = "Token Manager"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Fill the registry of books checks."""
        autodiscover_modules("books_checks")
