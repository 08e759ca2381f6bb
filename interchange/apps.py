"""Django configuration of the app."""

from django.apps import AppConfig


class InterchangeConfig(AppConfig):
    """Registers `interchange`."""

    name = "interchange"
    verbose_name = "Interchange"
    default_auto_field = "django.db.models.BigAutoField"
