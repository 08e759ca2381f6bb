"""Django configuration of the app."""

from django.apps import AppConfig


class TreasuryConfig(AppConfig):
    """Registers `treasury`."""

    name = "treasury"
    verbose_name = "Treasury"
    default_auto_field = "django.db.models.BigAutoField"
