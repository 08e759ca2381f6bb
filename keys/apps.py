"""Django configuration of the app."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """Registers the app `keys`."""

    name = "keys"
    verbose_name = "Token Manager"
    default_auto_field = "django.db.models.BigAutoField"
