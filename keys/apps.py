"""Django configuration of the app."""

from django.apps import AppConfig


class KeysConfig(AppConfig):
    """Registers `keys`."""

    name = "keys"
    verbose_name = "API keys"
    default_auto_field = "django.db.models.BigAutoField"
