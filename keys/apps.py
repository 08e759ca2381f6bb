"""Django configuration of the app."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from alerts import surroundings


class KeysConfig(AppConfig):
    """Registers the app `keys`, and the books checks of apps above it."""

    name = "keys"
    verbose_name = "Token Manager"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell alerts where the reporting zone and the cost centres are, and fill
        the registry of books checks."""
        from keys.alert_surroundings import Books  # noqa: PLC0415 - needs the models

        surroundings.register(Books())
        autodiscover_modules("books_checks")
