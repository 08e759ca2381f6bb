"""Django configuration of the app."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Registers `dashboard`."""

    name = "dashboard"
    verbose_name = "Dashboard"
    default_auto_field = "django.db.models.BigAutoField"
