"""Django configuration of the app."""

from django.apps import AppConfig

from alerts import surroundings


class KeysConfig(AppConfig):
    """Registers the app `keys`."""

    name = "keys"
    verbose_name = "Token Manager"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell alerts where the reporting zone and the cost centres are."""
        from keys.alert_surroundings import Books  # noqa: PLC0415 - needs the models

        surroundings.register(Books())
