"""Django configuration of the app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Registers `alerts`."""

    name = "alerts"
    verbose_name = "Alerts"
    default_auto_field = "django.db.models.BigAutoField"
