"""Django configuration of the app."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Registers `api`."""

    name = "api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"
